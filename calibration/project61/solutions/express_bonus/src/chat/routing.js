import { createHash } from "node:crypto";

/** Chooses the model that the backend is asked for, by rules and by weighted variants. */
export class Routing {
  #rules;
  #variants;

  constructor({ rules, variants }) {
    this.#rules = rules;
    this.#variants = new Map(Object.entries(variants));
  }

  /** Return `{model, fallback, variantOf}`; `variantOf` is the model of which `model` is a variant, or null. */
  choose({ user, model, task, latencyBudget }) {
    const rule = this.#rules.find((candidate) => isMet(candidate, { tier: user.tier, task, latencyBudget }));
    const named = rule?.model ?? model;
    const variant = this.#variantFor(user.username, named);
    return { model: variant ?? named, fallback: rule?.fallback ?? null, variantOf: variant ? named : null };
  }

  #variantFor(username, model) {
    const weights = this.#variants.get(model);
    return weights ? pickVariant(weights, `${username}\0${model}`) : null;
  }
}

function isMet(rule, { tier, task, latencyBudget }) {
  if (rule.tier !== undefined && rule.tier !== tier) return false;
  if (rule.task !== undefined && rule.task !== task) return false;
  if (rule.latency_budget !== undefined && !(rule.latency_budget >= latencyBudget)) return false;
  return true;
}

/** Return the variant for this identity: the same on every instance and after every restart. */
export function pickVariant(weights, identity) {
  const entries = Object.entries(weights).sort(([one], [other]) => (one < other ? -1 : 1));
  const total = entries.reduce((sum, [, weight]) => sum + weight, 0);
  const hash = createHash("sha256").update(identity).digest().readUInt32BE();
  let point = (hash / 2 ** 32) * total;
  for (const [name, weight] of entries) {
    point -= weight;
    if (point < 0) return name;
  }
  return entries.at(-1)[0];
}
