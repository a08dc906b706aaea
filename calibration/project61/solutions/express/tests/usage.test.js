import assert from "node:assert/strict";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { createMetrics } from "../src/metrics.js";
import { Journal } from "../src/usage/journal.js";
import { Ledger } from "../src/usage/ledger.js";
import { chat, start, streamWords } from "./gateway.js";

const until = async (condition) => {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 20));
};

test("the usage of a stream is counted although nobody asks for it", async (t) => {
  const gateway = await start(t, streamWords("one", "two"));
  const token = await gateway.login("ada");
  await (await gateway.post("/v1/chat/completions", chat({ stream: true }), token)).text();
  await until(() => gateway.database.rows.size);
  const { total } = await (await gateway.get("/v1/usage", token)).json();
  assert.deepEqual([total.requests, total.prompt_tokens, total.completion_tokens], [1, 5, 2]);
});

test("answers do not wait for the database, and their usage arrives later", async (t) => {
  const gateway = await start(t);
  gateway.database.down = true;
  assert.equal((await gateway.post("/v1/chat/completions", chat(), await gateway.login("ada"))).status, 200);
  gateway.database.down = false;
  await until(() => gateway.database.rows.size);
  assert.equal(gateway.database.rows.size, 1);
});

test("what a killed process has recorded is delivered by the next, once", async () => {
  const folder = mkdtempSync(path.join(tmpdir(), "journal-"));
  const metrics = createMetrics();
  const down = { query: async () => { throw new Error("down"); } };
  const killed = new Ledger({ database: down, journal: new Journal(folder), metrics, prices: {} });
  killed.record({ user: { name: "ada" }, model: "small", label: "small", promptTokens: 1, completionTokens: 2 });
  const rows = [];
  const up = { query: async (_text, values) => rows.push(...values[0]) };
  const next = new Ledger({ database: up, journal: new Journal(folder), metrics, prices: {} });
  await next.close(1_000);
  await killed.close(0);
  assert.equal(rows.length, 1);
});

test("metrics count requests, tokens and failures, and strangers make no series", async (t) => {
  const gateway = await start(t);
  await until(() => gateway.services.backend.label("small") === "small");
  const token = await gateway.login("root");
  await gateway.post("/v1/chat/completions", chat(), token);
  await gateway.post("/v1/chat/completions", chat({ model: "nobody-knows-it" }), token);
  await gateway.get("/v1/nowhere-at-all", token);
  await until(async () => (await (await gateway.get("/metrics")).text()).includes('route="unknown"'));
  const text = await (await gateway.get("/metrics")).text();
  assert.match(text, /gateway_requests_total\{method="POST",route="\/v1\/chat\/completions",status="200"\} 2/);
  assert.match(text, /gateway_tokens_total\{kind="completion",model="small"\} 4/);
  assert.doesNotMatch(text, /nobody-knows-it|nowhere-at-all/);
});
