import assert from "node:assert/strict";
import { test } from "node:test";
import { serve, streamOf } from "./helpers.js";

const CHAT = { model: "m", messages: [{ role: "user", content: "Hello" }] };
const USAGE = { prompt_tokens: 3, completion_tokens: 4 };
const PATH = "/v1/chat/completions";

function answering(json) {
  const asked = [];
  const backend = {
    async ask(method, path, { body } = {}) {
      asked.push(JSON.parse(body));
      return { bytes: Buffer.from(JSON.stringify(json)), json, headers: {} };
    },
  };
  return { backend, asked };
}

function streaming(...parts) {
  const asked = [];
  const backend = {
    async open(path, { body }) {
      asked.push(JSON.parse(body));
      return { body: streamOf(...parts), headers: {} };
    },
  };
  return { backend, asked };
}

const chunk = (content) => `data: ${JSON.stringify({ choices: [{ delta: { content } }] })}\n\n`;
const usageChunk = `data: ${JSON.stringify({ choices: [], usage: USAGE })}\n\n`;

test("a chat is passed on with all its fields, and its usage is recorded", async (t) => {
  const { backend, asked } = answering({ id: "1", usage: USAGE });
  const { send, recorded } = await serve(t, { backend });
  const { status, json } = await send("POST", PATH, { as: "ada", body: { ...CHAT, min_p: 0, tools: [] } });
  assert.equal(status, 200);
  assert.equal(json.id, "1");
  assert.deepEqual(asked, [{ ...CHAT, min_p: 0, tools: [] }]);
  assert.deepEqual(recorded[0].usage, USAGE);
});

test("the usage of a stream is recorded, and hidden from callers who did not ask", async (t) => {
  const { backend, asked } = streaming(chunk("Hi"), usageChunk, "data: [DONE]\n\n");
  const { send, recorded } = await serve(t, { backend });
  const { text } = await send("POST", PATH, { as: "ada", body: { ...CHAT, stream: true } });
  assert.equal(text, `${chunk("Hi")}data: [DONE]\n\n`);
  assert.equal(asked[0].stream_options.include_usage, true);
  assert.deepEqual(recorded[0].usage, USAGE);
});

test("callers who ask for the usage of a stream get it", async (t) => {
  const { backend } = streaming(chunk("Hi"), usageChunk, "data: [DONE]\n\n");
  const { send } = await serve(t, { backend });
  const body = { ...CHAT, stream: true, stream_options: { include_usage: true } };
  const { text } = await send("POST", PATH, { as: "ada", body });
  assert.equal(text, `${chunk("Hi")}${usageChunk}data: [DONE]\n\n`);
});

test("a stream that breaks off ends with an error and without [DONE]", async (t) => {
  const { backend } = streaming(chunk("Hi"));
  const { send } = await serve(t, { backend });
  const { text } = await send("POST", PATH, { as: "ada", body: { ...CHAT, stream: true } });
  const last = JSON.parse(text.trim().split("\n\n").at(-1).slice("data: ".length));
  assert.equal(last.error.type, "api_error");
  assert.ok(!text.includes("[DONE]"));
});

test("without a token the answer is 401, without the permission 403", async (t) => {
  const { send } = await serve(t);
  assert.equal((await send("POST", PATH, { body: CHAT })).status, 401);
  assert.equal((await send("POST", PATH, { as: "max", body: CHAT })).status, 403);
});

test("a key works in both headers", async (t) => {
  const { backend } = answering({ id: "1", usage: USAGE });
  const keys = { ownerOf: async (key) => (key === "gw_right" ? "ada" : null) };
  const { send } = await serve(t, { backend, keys });
  for (const headers of [{ authorization: "Bearer gw_right" }, { "x-api-key": "gw_right" }]) {
    assert.equal((await send("POST", PATH, { headers, body: CHAT })).status, 200);
  }
  assert.equal((await send("POST", PATH, { headers: { "x-api-key": "gw_wrong" }, body: CHAT })).status, 401);
});

const wrong = [
  ["a body that is not JSON", "POST", PATH, "nonsense", 400],
  ["messages that are a text", "POST", PATH, { ...CHAT, messages: "Hello" }, 400],
  ["no input", "POST", "/v1/embeddings", { model: "m" }, 400],
  ["an unknown path", "GET", "/v1/nothing", undefined, 404],
  ["a wrong method", "GET", PATH, undefined, 405],
  ["a path that cannot be decoded", "DELETE", "/v1/api-keys/%ff", undefined, 400],
];
for (const [name, method, path, body, expected] of wrong) {
  test(`${name} is a ${expected} in OpenAI's form`, async (t) => {
    const { send } = await serve(t);
    const { status, json } = await send(method, path, { as: "ada", body });
    assert.equal(status, expected);
    assert.deepEqual(Object.keys(json.error), ["message", "type", "code", "param"]);
  });
}

test("a large body is refused", async (t) => {
  const { send } = await serve(t);
  const { status } = await send("POST", PATH, { as: "ada", body: "x".repeat(11 * 1024 * 1024) });
  assert.equal(status, 413);
});

test("only an admin reads the usage of others", async (t) => {
  const store = { report: async (asked) => ({ total: { requests: 1 }, data: [], asked }) };
  const { send } = await serve(t, { store });
  assert.equal((await send("GET", "/v1/usage", { as: "ada" })).json.asked.username, "ada");
  assert.equal((await send("GET", "/v1/usage?user=root", { as: "ada" })).status, 403);
  assert.equal((await send("GET", "/v1/usage?user=*", { as: "ada" })).status, 403);
  assert.equal((await send("GET", "/v1/usage?user=*", { as: "root" })).json.asked.username, null);
});

test("a fallback is asked when the backend limits the rate of a model", async (t) => {
  const asked = [];
  const backend = {
    async ask(method, path, { body }) {
      asked.push(JSON.parse(body).model);
      if (asked.length === 1) throw Object.assign(new Error("slow down"), { status: 429 });
      return { bytes: Buffer.from("{}"), json: {}, headers: {} };
    },
  };
  const rules = [{ task: "summary", model: "large", fallback: "small" }];
  const { send, recorded } = await serve(t, { backend, rules });
  const { status } = await send("POST", PATH, { as: "ada", headers: { "x-task": "summary" }, body: CHAT });
  assert.equal(status, 200);
  assert.deepEqual(asked, ["large", "small"]);
  assert.equal(recorded[0].model, "small");
});

test("unknown paths share one label, and each request is counted", async (t) => {
  const { send } = await serve(t);
  for (const path of ["/one", "/two", "/three"]) await send("GET", path);
  const { text } = await send("GET", "/metrics");
  assert.match(text, /gateway_requests_total\{method="GET",route="other",status="404"\} 3/);
});

test("the log line of a request has the id of its answer", async (t) => {
  const { send, lines } = await serve(t);
  const { headers } = await send("GET", "/health");
  await new Promise(setImmediate);
  assert.ok(lines.some((line) => line.request_id === headers.get("x-request-id") && line.route === "/health"));
});
