import assert from "node:assert/strict";
import { test } from "node:test";
import jwt from "jsonwebtoken";
import { chat, start } from "./gateway.js";

const SECRET = "s".repeat(64);
const claims = { sub: "ada", exp: Math.floor(Date.now() / 1000) + 60 };

for (const [what, token] of [
  ["none", ""],
  ["no token at all", "letmein"],
  ["another secret", jwt.sign(claims, "t".repeat(64))],
  ["no signature", jwt.sign(claims, "", { algorithm: "none" })],
  ["another algorithm", jwt.sign(claims, SECRET, { algorithm: "HS512" })],
  ["an expired one", jwt.sign({ sub: "ada", exp: 1 }, SECRET)],
  ["one without an end", jwt.sign({ sub: "ada" }, SECRET)],
  ["an unknown user's", jwt.sign({ ...claims, sub: "eve" }, SECRET)],
]) {
  test(`a token is refused: ${what}`, async (t) => {
    const gateway = await start(t);
    assert.equal((await gateway.post("/v1/chat/completions", chat(), token)).status, 401);
    assert.equal(gateway.asked.length, 0);
  });
}

test("a wrong password is 401", async (t) => {
  const gateway = await start(t);
  assert.equal((await gateway.post("/auth/login", { username: "ada", password: "x" })).status, 401);
});

test("a key works in both headers until it is revoked, and is shown once", async (t) => {
  const gateway = await start(t);
  const token = await gateway.login("ada");
  const made = await (await gateway.post("/v1/api-keys", { name: "laptop" }, token)).json();
  assert.equal((await gateway.get("/v1/models", made.key)).status, 200);
  assert.equal((await gateway.get("/v1/models", null, { "x-api-key": made.key })).status, 200);
  const listed = await (await gateway.get("/v1/api-keys", token)).text();
  assert.ok(listed.includes(made.id) && !listed.includes(made.key));
  const revoked = await fetch(`${gateway.url}/v1/api-keys/${made.id}`, { method: "DELETE", headers: { authorization: `Bearer ${token}` } });
  assert.equal(revoked.status, 204);
  assert.equal((await gateway.get("/v1/models", made.key)).status, 401);
});

test("without a permission it is 403", async (t) => {
  const gateway = await start(t);
  const token = await gateway.login("mona");
  assert.equal((await gateway.get("/v1/models", token)).status, 200);
  assert.equal((await gateway.post("/v1/chat/completions", chat(), token)).status, 403);
});

test("a tier has its limit, and is told when to come back", async (t) => {
  const gateway = await start(t);
  const token = await gateway.login("ada");
  for (let i = 0; i < 5; i += 1) assert.equal((await gateway.post("/v1/chat/completions", chat(), token)).status, 200);
  const refused = await gateway.post("/v1/chat/completions", chat(), token);
  assert.equal(refused.status, 429);
  assert.equal(refused.headers.get("x-ratelimit-limit"), "5");
  assert.equal(refused.headers.get("x-ratelimit-remaining"), "0");
  assert.ok(Number(refused.headers.get("retry-after")) <= 60);
});

test("another user's usage is for administrators", async (t) => {
  const gateway = await start(t);
  assert.equal((await gateway.get("/v1/usage?user=root", await gateway.login("ada"))).status, 403);
  assert.equal((await gateway.get("/v1/usage?user=ada", await gateway.login("root"))).status, 200);
});
