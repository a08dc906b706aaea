import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { createMetrics } from "../src/metrics.js";
import { ModelNames } from "../src/model_names.js";
import { Budgets } from "../src/usage/budgets.js";
import { Delivery } from "../src/usage/delivery.js";
import { Meter } from "../src/usage/meter.js";
import { Prices } from "../src/usage/prices.js";
import { Spool } from "../src/usage/spool.js";
import { memoryLog } from "./helpers.js";

function setUp(t, { store, prices = {} }) {
  const directory = mkdtempSync(join(tmpdir(), "usage-"));
  t.after(() => rmSync(directory, { recursive: true }));
  const spool = new Spool(directory);
  const metrics = createMetrics();
  const { log } = memoryLog();
  const delivery = new Delivery({ spool, store, log, metrics });
  const budgets = new Budgets({ budgets: {}, store });
  const modelNames = new ModelNames({ backend: { listModels: async () => ["m"] }, log });
  const meter = new Meter({ spool, delivery, prices: new Prices(prices), budgets, metrics, modelNames });
  return { spool, delivery, meter, metrics, modelNames };
}

const ANSWER = { username: "ada", model: "m", usage: { prompt_tokens: 1000, completion_tokens: 500 } };

test("a record is on disk as soon as it is recorded, and leaves when it is delivered", async (t) => {
  const delivered = [];
  const store = { insert: async (records) => delivered.push(...records) };
  const { spool, delivery, meter } = setUp(t, { store });
  meter.record(ANSWER);
  assert.equal(spool.ids().length, 1);
  await delivery.stop();
  assert.equal(delivered[0].prompt_tokens, 1000);
  assert.deepEqual(spool.ids(), []);
});

test("a record stays on disk while the store is down, with the same id", async (t) => {
  const attempts = [];
  let down = true;
  const store = {
    async insert(records) {
      attempts.push(records[0].id);
      if (down) throw new Error("down");
    },
  };
  const { spool, delivery, meter } = setUp(t, { store });
  meter.record(ANSWER);
  await delivery.stop();
  assert.equal(spool.ids().length, 1);
  down = false;
  await delivery.stop();
  assert.deepEqual(spool.ids(), []);
  assert.equal(new Set(attempts).size, 1);
});

test("a name that PostgreSQL cannot store is changed instead of blocking the others", (t) => {
  const { spool, meter } = setUp(t, { store: { insert: async () => {} } });
  meter.record({ ...ANSWER, model: "a\0b\ud800" });
  assert.equal(spool.read(spool.ids()[0]).model, "a\ufffdb\ufffd");
});

test("tokens are counted by the models that the backend lists, and others together", async (t) => {
  const { meter, metrics, modelNames } = setUp(t, { store: { insert: async () => {} } });
  await modelNames.refresh();
  for (const model of ["m", "one", "two"]) meter.record({ ...ANSWER, model });
  const text = await metrics.registry.getSingleMetricAsString("gateway_tokens_total");
  assert.match(text, /kind="prompt",model="m"\} 1000/);
  assert.match(text, /kind="prompt",model="other"\} 2000/);
});

test("the cost is the backend's own figure, or follows from the prices", () => {
  const prices = new Prices({ m: { prompt: 2, completion: 10 } });
  const usage = { promptTokens: 1000, completionTokens: 500 };
  assert.equal(prices.costOf("m", usage), 0.007);
  assert.equal(prices.costOf("m", usage, { "x-litellm-response-cost": "25" }), 25);
});

test("a budget stops its user until the next day, and nobody else", async () => {
  let now = new Date("2026-01-31T23:00:00Z");
  const store = { spentOn: async () => 0 };
  const budgets = new Budgets({ budgets: { free: 1, "user:bob": 20 }, store, now: () => now });
  const ada = { username: "ada", tier: "free" };
  budgets.spend("ada", 5);
  budgets.spend("bob", 5);
  await assert.rejects(budgets.check(ada), { status: 429, headers: { "Retry-After": 3600 } });
  await assert.doesNotReject(budgets.check({ username: "bob", tier: "free" }));
  await assert.doesNotReject(budgets.check({ username: "eve", tier: "premium" }));
  now = new Date("2026-02-01T00:00:01Z");
  await assert.doesNotReject(budgets.check(ada));
});

test("what other instances have spent counts as well", async () => {
  const budgets = new Budgets({ budgets: { free: 1 }, store: { spentOn: async () => 2 } });
  await assert.rejects(budgets.check({ username: "ada", tier: "free" }), { status: 429 });
});
