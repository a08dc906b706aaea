import assert from "node:assert/strict";
import { test } from "node:test";
import { Limits } from "../src/limits.js";
import { createMetrics } from "../src/metrics.js";
import { memoryLog } from "./helpers.js";

const ADA = { username: "ada", tier: "free" };

function limits({ redis = null } = {}) {
  const { log, lines } = memoryLog();
  const options = { limits: { free: { points: 2, seconds: 60 } }, redis, metrics: createMetrics(), log };
  return { limits: new Limits(options), lines };
}

test("beyond the limit the answer says when to come back", async () => {
  const { limits: counted } = limits();
  assert.equal((await counted.count(ADA))["X-RateLimit-Remaining"], 1);
  await counted.count(ADA);
  await assert.rejects(counted.count(ADA), ({ status, headers }) => {
    assert.equal(status, 429);
    assert.ok(headers["Retry-After"] > 0 && headers["Retry-After"] <= 60);
    assert.equal(headers["X-RateLimit-Remaining"], 0);
    return true;
  });
});

test("each user has a limit of their own", async () => {
  const { limits: counted } = limits();
  await counted.count(ADA);
  await counted.count(ADA);
  const headers = await counted.count({ username: "bob", tier: "free" });
  assert.equal(headers["X-RateLimit-Remaining"], 1);
});

test("without Redis the limit holds in memory, and the log says so", async () => {
  const redis = { status: "end", defineCommand() {} };
  const { limits: counted, lines } = limits({ redis });
  await counted.count(ADA);
  await counted.count(ADA);
  await assert.rejects(counted.count(ADA), { status: 429 });
  assert.match(lines[0].msg, /redis does not answer/);
});
