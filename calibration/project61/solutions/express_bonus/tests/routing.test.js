import assert from "node:assert/strict";
import { test } from "node:test";
import { Routing, pickVariant } from "../src/chat/routing.js";

const RULES = [
  { tier: "free", task: "summary", model: "small" },
  { latency_budget: 2, model: "fast", fallback: "small" },
];
const routing = new Routing({ rules: RULES, variants: { fast: { left: 1, right: 1 } } });
const choose = (asked) => routing.choose({ user: { username: "ada", tier: "free" }, model: "large", ...asked });

test("the first rule whose conditions are all met names the model", () => {
  assert.equal(choose({ task: "summary", latencyBudget: 1 }).model, "small");
});

test("a rule for a latency budget needs one that is small enough", () => {
  assert.equal(choose({ latencyBudget: 3 }).model, "large");
  assert.equal(choose({ latencyBudget: Number.NaN }).model, "large");
  assert.equal(choose({ latencyBudget: 2 }).fallback, "small");
});

test("a model that a rule names has variants as well", () => {
  const { model, variantOf } = choose({ latencyBudget: 1 });
  assert.ok(["left", "right"].includes(model));
  assert.equal(variantOf, "fast");
});

test("a user keeps a variant, and the weights are kept over all users", () => {
  const names = Array.from({ length: 1000 }, (_, index) => `user-${index}`);
  const picked = names.map((name) => pickVariant({ heavy: 9, light: 1 }, name));
  assert.deepEqual(names.map((name) => pickVariant({ light: 1, heavy: 9 }, name)), picked);
  const light = picked.filter((name) => name === "light").length;
  assert.ok(light > 50 && light < 150, `${light} of 1000`);
});
