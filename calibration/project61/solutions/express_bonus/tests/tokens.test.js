import assert from "node:assert/strict";
import { test } from "node:test";
import { SignJWT, UnsecuredJWT } from "jose";
import { Tokens } from "../src/auth/tokens.js";
import { SECRET } from "./helpers.js";

const tokens = new Tokens(SECRET);

function forge({ secret = SECRET, alg = "HS256", issuer = "inference-gateway", expires = "1h" } = {}) {
  const token = new SignJWT({}).setProtectedHeader({ alg }).setSubject("ada").setIssuer(issuer);
  if (expires) token.setExpirationTime(expires);
  return token.sign(new TextEncoder().encode(secret));
}

test("a token names its user", async () => {
  assert.equal(await tokens.verify(await tokens.issue("ada")), "ada");
});

const forgeries = {
  "of another key": () => forge({ secret: "another secret of more than 32 characters" }),
  "with another algorithm": () => forge({ alg: "HS512", secret: SECRET.repeat(2) }),
  "of another issuer": () => forge({ issuer: "somebody" }),
  "that never expires": () => forge({ expires: null }),
  "that has expired": () => forge({ expires: "-1s" }),
  "without a signature": async () => new UnsecuredJWT({ sub: "ada" }).setExpirationTime("1h").encode(),
  "that is none": async () => "nonsense",
};
for (const [name, token] of Object.entries(forgeries)) {
  test(`a token ${name} is refused`, async () => {
    assert.equal(await tokens.verify(await token()), null);
  });
}
