import assert from "node:assert/strict";
import { test } from "node:test";
import { fromStatus } from "../src/backend/failures.js";
import { withRetries } from "../src/backend/retry.js";

function failing(times, error) {
  const calls = [];
  const attempt = async () => {
    calls.push(Date.now());
    if (calls.length <= times) throw error;
    return "answer";
  };
  return { attempt, calls };
}

test("a transient failure is tried again until it succeeds", async () => {
  const { attempt, calls } = failing(2, fromStatus(503, "{}"));
  assert.equal(await withRetries(attempt, { pausesMs: [1, 2] }), "answer");
  assert.equal(calls.length, 3);
});

test("the pauses grow", async () => {
  const { attempt, calls } = failing(2, fromStatus(503, "{}"));
  await withRetries(attempt, { pausesMs: [20, 120], random: () => 0 });
  assert.ok(calls[2] - calls[1] > calls[1] - calls[0]);
});

for (const status of [400, 401, 403, 404]) {
  test(`${status} is not tried again`, async () => {
    const { attempt, calls } = failing(1, fromStatus(status, "{}"));
    await assert.rejects(withRetries(attempt, { pausesMs: [1, 2] }));
    assert.equal(calls.length, 1);
  });
}

test("a backend that asks for a long pause is not tried again", async () => {
  const { attempt, calls } = failing(1, fromStatus(429, "{}", "3600"));
  await assert.rejects(withRetries(attempt, { pausesMs: [1, 2] }), { status: 429 });
  assert.equal(calls.length, 1);
});
