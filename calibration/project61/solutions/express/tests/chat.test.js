import assert from "node:assert/strict";
import { EventEmitter, once } from "node:events";
import { test } from "node:test";
import { chat, start, streamWords } from "./gateway.js";

const failing = (status, times) => (_req, res, _body, count) => {
  if (count <= times) res.writeHead(status).end("{}");
  else res.end(JSON.stringify({ choices: [], usage: {} }));
};

test("a chat is answered, and every parameter reaches the backend", async (t) => {
  const gateway = await start(t);
  const sent = chat({ seed: 7, min_p: 0.1, tools: [{ type: "function", function: { name: "f" } }] });
  const answered = await gateway.post("/v1/chat/completions", sent, await gateway.login("ada"));
  assert.equal(answered.status, 200);
  assert.equal((await answered.json()).choices[0].message.content, "Hi");
  assert.deepEqual(gateway.asked, [sent]);
});

test("a stream has the usage for who asks for it alone", async (t) => {
  const gateway = await start(t, streamWords("one", "two"));
  const token = await gateway.login("ada");
  for (const [options, shown] of [[undefined, false], [{ include_usage: true }, true]]) {
    const answered = await gateway.post("/v1/chat/completions", chat({ stream: true, stream_options: options }), token);
    const text = await answered.text();
    assert.match(text, /"one".*"two".*\[DONE\]/s);
    assert.equal(text.includes("prompt_tokens"), shown);
  }
});

test("a stream that breaks ends with an error and without [DONE]", async (t) => {
  const gateway = await start(t, (_req, res) => {
    res.write('data: {"choices": [{"delta": {"content": "one"}}]}\n\n');
    setImmediate(() => res.destroy());
  });
  const answered = await gateway.post("/v1/chat/completions", chat({ stream: true }), await gateway.login("ada"));
  const text = await answered.text();
  assert.match(text, /data: \{"error"/);
  assert.ok(!text.includes("[DONE]"));
  assert.equal(gateway.asked.length, 1);
});

test("failures that pass are retried", async (t) => {
  const gateway = await start(t, failing(503, 2));
  const answered = await gateway.post("/v1/chat/completions", chat(), await gateway.login("ada"));
  assert.equal(answered.status, 200);
  assert.equal(gateway.asked.length, 3);
});

for (const [status, told] of [[400, 400], [401, 502], [403, 502], [404, 404]]) {
  test(`a refusal with ${status} is told as ${told} and not retried`, async (t) => {
    const gateway = await start(t, failing(status, 9));
    const answered = await gateway.post("/v1/chat/completions", chat(), await gateway.login("ada"));
    assert.equal(answered.status, told);
    assert.equal(gateway.asked.length, 1);
  });
}

test("a breaker answers at once after failures, and closes again", async (t) => {
  const gateway = await start(t, failing(500, 15), { BREAKER_COOL_DOWN_MS: "50" });
  const token = await gateway.login("root");
  for (let i = 0; i < 5; i += 1) assert.equal((await gateway.post("/v1/chat/completions", chat(), token)).status, 502);
  const rejected = await gateway.post("/v1/chat/completions", chat(), token);
  assert.equal(rejected.status, 503);
  assert.ok(Number(rejected.headers.get("retry-after")) >= 1);
  assert.equal(gateway.asked.length, 15);
  let last;
  do last = await gateway.post("/v1/chat/completions", chat(), token);
  while (last.status === 503);
  assert.equal(last.status, 200);
});

test("a caller who leaves ends the backend's call", async (t) => {
  const calls = new EventEmitter();
  const gateway = await start(t, (_req, res) => {
    calls.emit("begun");
    res.once("close", () => calls.emit("ended"));
  });
  const [begun, ended] = [once(calls, "begun"), once(calls, "ended")];
  const controller = new AbortController();
  const asking = fetch(`${gateway.url}/v1/chat/completions`, {
    method: "POST",
    body: JSON.stringify(chat()),
    headers: { authorization: `Bearer ${await gateway.login("ada")}` },
    signal: controller.signal,
  });
  await begun;
  controller.abort();
  await assert.rejects(asking);
  await ended;
  assert.equal(gateway.asked.length, 1);
});

for (const [what, body] of [
  ["no JSON", '{"model": '],
  ["a list", "[]"],
  ["no messages", { model: "small" }],
  ["messages that are a text", { model: "small", messages: "Hello" }],
  ["a deep body", `{"messages": ${"[".repeat(100_000)}${"]".repeat(100_000)}}`],
]) {
  test(`${what} is refused in OpenAI's form`, async (t) => {
    const gateway = await start(t);
    const answered = await gateway.post("/v1/chat/completions", body, await gateway.login("ada"));
    const { error } = await answered.json();
    assert.equal(answered.status, 400);
    assert.deepEqual(Object.keys(error), ["message", "type", "code", "param"]);
    assert.equal(gateway.asked.length, 0);
  });
}
