import assert from "node:assert/strict";
import { test } from "node:test";
import { SemanticCache } from "../src/chat/semantic_cache.js";
import { createMetrics } from "../src/metrics.js";
import { memoryLog } from "./helpers.js";

const VECTORS = { "Is it warm?": [1, 0], "Is it warm today?": [0.99, 0.1], "Is it cold?": [0, 1] };
const ask = (content, rest = {}) => ({ model: "m", messages: [{ role: "user", content }], ...rest });
const signal = new AbortController().signal;

async function warm() {
  let now = 0;
  const cache = new SemanticCache({
    model: "e",
    threshold: 0.9,
    ttlMs: 1000,
    metrics: createMetrics(),
    log: memoryLog().log,
    now: () => now,
    backend: {
      async ask(method, path, { body }) {
        return { json: { data: [{ embedding: VECTORS[JSON.parse(body).input] }] } };
      },
    },
  });
  const { keep } = await cache.look("ada", ask("Is it warm?"), signal);
  keep("yes");
  const look = async (body, username = "ada") => (await cache.look(username, body, signal))?.answer ?? null;
  return { look, pass: (milliseconds) => (now += milliseconds) };
}

test("a paraphrase gets the answer, an opposite does not", async () => {
  const { look } = await warm();
  assert.equal(await look(ask("Is it warm today?")), "yes");
  assert.equal(await look(ask("Is it cold?")), null);
});

test("another user, model or parameter is another question", async () => {
  const { look } = await warm();
  assert.equal(await look(ask("Is it warm?"), "bob"), null);
  assert.equal(await look(ask("Is it warm?", { model: "n" })), null);
  assert.equal(await look(ask("Is it warm?", { max_tokens: 5 })), null);
  assert.equal(await look(ask("Is it warm?", { temperature: 1 })), null);
});

test("an answer is forgotten after its time to live", async () => {
  const { look, pass } = await warm();
  pass(1001);
  assert.equal(await look(ask("Is it warm?")), null);
});
