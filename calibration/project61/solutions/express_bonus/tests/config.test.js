import assert from "node:assert/strict";
import { test } from "node:test";
import { ConfigError, loadConfig } from "../src/config.js";

const USERS = [{ username: "ada", password: "a password", tier: "free", permissions: ["chat"] }];
const ENV = {
  LITELLM_URL: "http://backend:4000/",
  JWT_SECRET_KEY: "0123456789abcdef0123456789abcdef",
  BOOTSTRAP_USERS: JSON.stringify(USERS),
};

test("what is not given has a default", () => {
  const config = loadConfig(ENV);
  assert.equal(config.backend.url, "http://backend:4000");
  assert.equal(config.port, 8000);
  assert.deepEqual(config.users, USERS);
});

test("what is given is read", () => {
  const config = loadConfig({
    ...ENV,
    PORT: "9000",
    RATE_LIMITS: '{"free": "2/hour"}',
    MODEL_PRICES: '{"small": {"prompt": 1, "completion": 2}}',
    MODEL_ROUTES: '[{"tier": "free", "model": "small"}]',
    MODEL_VARIANTS: '{"small": {"one": 1, "two": 3}}',
    DAILY_BUDGETS: '{"free": 0.5}',
  });
  assert.equal(config.port, 9000);
  assert.deepEqual(config.limits.free, { points: 2, seconds: 3600 });
  assert.equal(config.routes.length, 1);
});

for (const [name, value] of [
  ["LITELLM_URL", ""],
  ["JWT_SECRET_KEY", "short"],
  ["BOOTSTRAP_USERS", "[]"],
  ["BOOTSTRAP_USERS", '[{"username": "ada", "password": "x", "tier": "gold", "permissions": []}]'],
  ["PORT", "70000"],
  ["RATE_LIMITS", '{"free": "often"}'],
  ["DAILY_BUDGETS", '{"free": "much"}'],
  ["MODEL_VARIANTS", '{"small": {}}'],
]) {
  test(`${name}=${value} is refused by name`, () => {
    assert.throws(
      () => loadConfig({ ...ENV, [name]: value }),
      (error) => error instanceof ConfigError && error.message.includes(name),
    );
  });
}
