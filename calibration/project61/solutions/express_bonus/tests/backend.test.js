import assert from "node:assert/strict";
import { test } from "node:test";
import { MockAgent } from "undici";
import { Backend } from "../src/backend/backend.js";
import { Breaker } from "../src/backend/breaker.js";
import { eventsIn } from "../src/backend/events.js";
import { createMetrics } from "../src/metrics.js";
import { streamOf } from "./helpers.js";

const URL = "http://backend.test";

function backendWith(...replies) {
  const dispatcher = new MockAgent();
  dispatcher.disableNetConnect();
  const pool = dispatcher.get(URL);
  for (const [status, body, headers = {}] of replies) {
    pool.intercept({ path: "/v1/chat/completions", method: "POST" }).reply(status, body, { headers });
  }
  const backend = new Backend({
    url: URL,
    apiKey: null,
    timeoutMs: 1000,
    streamIdleMs: 1000,
    breaker: new Breaker(),
    metrics: createMetrics(),
    dispatcher,
    pausesMs: [1, 2],
  });
  return backend;
}

test("an answer comes back byte by byte, after retries", async () => {
  const answer = '{"id": "1",  "usage": {"prompt_tokens": 3}}';
  const backend = backendWith([500, "{}"], [429, "{}"], [200, answer]);
  const { bytes, json } = await backend.ask("POST", "/v1/chat/completions", { body: "{}" });
  assert.equal(bytes.toString(), answer);
  assert.equal(json.usage.prompt_tokens, 3);
});

test("the backend's refusal reaches the caller with its message", async () => {
  const backend = backendWith([400, '{"error": {"message": "too many tokens", "param": "max_tokens"}}']);
  await assert.rejects(backend.ask("POST", "/v1/chat/completions", { body: "{}" }), {
    status: 400,
    message: "too many tokens",
    param: "max_tokens",
  });
});

test("an answer that is not JSON is a 502", async () => {
  const backend = backendWith([200, "<html>"]);
  await assert.rejects(backend.ask("POST", "/v1/chat/completions", { body: "{}" }), { status: 502 });
});

test("a stream that is no stream is a 502", async () => {
  const backend = backendWith([200, "{}", { "content-type": "application/json" }]);
  await assert.rejects(backend.open("/v1/chat/completions", { body: "{}" }), { status: 502 });
});

test("events are found however the bytes are cut", async () => {
  const seen = [];
  for await (const data of eventsIn(streamOf("data: on", "e\r", "\n\r\n: comment\n\nda", "ta: two\ndata: lines\n\n"))) {
    seen.push(data);
  }
  assert.deepEqual(seen, ["one", "two\nlines"]);
});

test("a character that is cut in two arrives whole", async () => {
  const bytes = Buffer.from("data: é\n\n");
  const seen = [];
  for await (const data of eventsIn(streamOf(bytes.subarray(0, 7), bytes.subarray(7)))) seen.push(data);
  assert.deepEqual(seen, ["é"]);
});
