import { randomUUID } from "node:crypto";
import { log } from "../log.js";

const BATCH = 200;
const DELIVERY_MS = 200;
const PAUSE_MS = 1_000;
const MOST_WAITING = 100_000;

const INSERT = `
INSERT INTO usage_rows (id, username, model, prompt_tokens, completion_tokens, cost, at)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::float8[], $7::timestamptz[])
ON CONFLICT (id) DO NOTHING`;
const TOTAL = `
SELECT count(*)::int AS requests, coalesce(sum(prompt_tokens), 0)::float8 AS prompt_tokens,
       coalesce(sum(completion_tokens), 0)::float8 AS completion_tokens, coalesce(sum(cost), 0) AS cost
FROM usage_rows WHERE username = $1`;
const BY_MODEL = TOTAL.replace("SELECT", "SELECT model,") + " GROUP BY model ORDER BY model";

/** Records who has used what: on disk before the answer ends, and in PostgreSQL soon after, once. */
export class Ledger {
  #database;
  #journal;
  #metrics;
  #prices;
  #waiting = [];
  #timer = null;
  #delivering = null;
  #afterwards = () => {};

  constructor({ database, journal, metrics, prices }) {
    this.#database = database;
    this.#journal = journal;
    this.#metrics = metrics;
    this.#prices = prices;
    const left = journal.leftBehind();
    this.#waiting.push(...left.rows);
    this.#afterwards = left.remove;
    this.#schedule(DELIVERY_MS);
  }

  /** Record the usage of an answer; `label` is the model's name in metrics. */
  record({ user, model, label, promptTokens, completionTokens }) {
    const price = this.#prices[model] ?? this.#prices.default ?? { prompt: 0, completion: 0 };
    const cost = (promptTokens * price.prompt + completionTokens * price.completion) / 1e6;
    this.#metrics.tokens.inc({ kind: "prompt", model: label }, promptTokens);
    this.#metrics.tokens.inc({ kind: "completion", model: label }, completionTokens);
    this.#metrics.cost.inc({ model: label }, cost);
    const row = { id: randomUUID(), user: user.name, model, promptTokens, completionTokens, cost, at: new Date() };
    this.#journal.append(row);
    if (this.#waiting.length < MOST_WAITING) this.#waiting.push(row);
    else log.error("too much usage waits: a row stays in the journal alone");
    this.#metrics.pendingUsage.set(this.#waiting.length);
    this.#schedule(DELIVERY_MS);
  }

  async of(username) {
    const [total, models] = await Promise.all([
      this.#database.query(TOTAL, [username]),
      this.#database.query(BY_MODEL, [username]),
    ]);
    return { user: username, total: total.rows[0], models: models.rows };
  }

  /** Deliver what waits, for so long at most. */
  async close(ms) {
    const deadline = Date.now() + ms;
    while (this.#waiting.length && Date.now() < deadline) {
      await this.#deliver();
      if (this.#waiting.length) await new Promise((resolve) => setTimeout(resolve, DELIVERY_MS));
    }
    clearTimeout(this.#timer);
    this.#journal.close();
  }

  #schedule(ms) {
    if (this.#timer) return;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#deliver();
    }, ms);
    this.#timer.unref();
  }

  #deliver() {
    this.#delivering ??= this.#deliverBatch().finally(() => (this.#delivering = null));
    return this.#delivering;
  }

  async #deliverBatch() {
    const rows = this.#waiting.slice(0, BATCH);
    if (!rows.length) return;
    const columns = ["id", "user", "model", "promptTokens", "completionTokens", "cost", "at"];
    try {
      await this.#database.query(INSERT, columns.map((name) => rows.map((row) => row[name])));
    } catch (error) {
      log.warn("usage could not be delivered yet", { reason: error.message, rows: this.#waiting.length });
      this.#schedule(PAUSE_MS);
      return;
    }
    this.#waiting.splice(0, rows.length);
    this.#metrics.pendingUsage.set(this.#waiting.length);
    if (this.#waiting.length) {
      this.#schedule(0);
    } else {
      this.#journal.clear();
      this.#afterwards();
      this.#afterwards = () => {};
    }
  }
}
