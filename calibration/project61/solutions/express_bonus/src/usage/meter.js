import { randomUUID } from "node:crypto";

const LONGEST_MODEL = 256;

/** Records the usage of each answer before it ends. */
export class Meter {
  #spool;
  #delivery;
  #prices;
  #budgets;
  #metrics;
  #modelNames;
  #now;

  constructor({ spool, delivery, prices, budgets, metrics, modelNames, now = () => new Date() }) {
    this.#spool = spool;
    this.#delivery = delivery;
    this.#prices = prices;
    this.#budgets = budgets;
    this.#metrics = metrics;
    this.#modelNames = modelNames;
    this.#now = now;
  }

  /** Record an answer of `model`, with the backend's `usage` object and the headers of its answer. */
  record({ username, model, usage, headers }) {
    const promptTokens = count(usage?.prompt_tokens);
    const completionTokens = count(usage?.completion_tokens);
    const cost = this.#prices.costOf(model, { promptTokens, completionTokens }, headers);
    this.#spool.write({
      id: randomUUID(),
      at: this.#now().toISOString(),
      username: storable(username),
      model: storable(model),
      prompt_tokens: promptTokens,
      completion_tokens: completionTokens,
      cost,
    });
    this.#delivery.wake();
    this.#budgets.spend(username, cost);
    const label = this.#modelNames.label(model);
    this.#metrics.tokens.inc({ kind: "prompt", model: label }, promptTokens);
    this.#metrics.tokens.inc({ kind: "completion", model: label }, completionTokens);
    this.#metrics.cost.inc({ model: label }, cost);
  }
}

function count(value) {
  return Number.isSafeInteger(value) && value > 0 ? value : 0;
}

/** PostgreSQL refuses NUL in texts, and one such record would hold up all others. */
function storable(text) {
  return text.replaceAll("\0", "\ufffd").toWellFormed().slice(0, LONGEST_MODEL);
}
