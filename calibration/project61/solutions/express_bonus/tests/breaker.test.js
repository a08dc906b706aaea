import assert from "node:assert/strict";
import { test } from "node:test";
import { Breaker } from "../src/backend/breaker.js";

const OUTAGE = new Error("outage");
const isFailure = (error) => error === OUTAGE;

async function fail(breaker, times) {
  for (let time = 0; time < times; time += 1) {
    await assert.rejects(breaker.run(() => Promise.reject(OUTAGE), isFailure), OUTAGE);
  }
}

test("failures in a row open the breaker, and it answers without a call", async () => {
  const breaker = new Breaker({ threshold: 3, coolDownMs: 5000, now: () => 0 });
  await fail(breaker, 3);
  let called = false;
  await assert.rejects(
    breaker.run(async () => (called = true), isFailure),
    { status: 503, headers: { "Retry-After": 5 } },
  );
  assert.equal(called, false);
});

test("a success between failures keeps the breaker closed", async () => {
  const breaker = new Breaker({ threshold: 3 });
  await fail(breaker, 2);
  await breaker.run(async () => "answer", isFailure);
  await fail(breaker, 2);
  assert.equal(breaker.state, "closed");
});

test("after the cool-down one probe is let through, and its success closes the breaker", async () => {
  let now = 0;
  const breaker = new Breaker({ threshold: 1, coolDownMs: 5000, now: () => now });
  await fail(breaker, 1);
  now = 5000;
  let answer;
  const probe = breaker.run(() => new Promise((resolve) => (answer = resolve)), isFailure);
  await assert.rejects(breaker.run(async () => "second", isFailure), { status: 503 });
  answer("first");
  assert.equal(await probe, "first");
  assert.equal(breaker.state, "closed");
});

test("a probe that fails opens the breaker for another cool-down", async () => {
  let now = 0;
  const breaker = new Breaker({ threshold: 1, coolDownMs: 5000, now: () => now });
  await fail(breaker, 1);
  now = 5000;
  await fail(breaker, 1);
  now = 9999;
  await assert.rejects(breaker.run(async () => "early", isFailure), { status: 503 });
});

test("a probe whose caller hung up lets the next one probe", async () => {
  let now = 0;
  const breaker = new Breaker({ threshold: 1, coolDownMs: 5000, now: () => now });
  await fail(breaker, 1);
  now = 5000;
  await assert.rejects(breaker.run(() => Promise.reject(new Error("left")), () => null));
  assert.equal(await breaker.run(async () => "answer", isFailure), "answer");
});
