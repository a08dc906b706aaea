import { setTimeout as sleep } from "node:timers/promises";
import { ApiError } from "../errors.js";

/** How long a sum from PostgreSQL is used before it is read again, and how long a request waits for it. */
const FRESH_MS = 1000;
const WAIT_MS = 300;

/** Stops users whose answers of the day (UTC) have cost more than their budget. */
export class Budgets {
  #budgets;
  #store;
  #now;
  #day = null;
  /** By user: dollars spent through this instance, and the last sum over all instances. */
  #spent = new Map();

  constructor({ budgets, store, now = () => new Date() }) {
    this.#budgets = new Map(Object.entries(budgets));
    this.#store = store;
    this.#now = now;
  }

  spend(username, cost) {
    this.#of(username).here += cost;
  }

  /** Throw an ApiError with status 429 if the user's budget of today is spent. */
  async check({ username, tier }) {
    const budget = this.#budgets.get(`user:${username}`) ?? this.#budgets.get(tier);
    if (budget === undefined) return;
    const spent = this.#of(username);
    if (this.#now().getTime() - spent.readAt > FRESH_MS) await this.#read(username, spent);
    if (Math.max(spent.here, spent.everywhere) <= budget) return;
    throw new ApiError(429, "Your budget of the day is spent.", {
      code: "budget_exceeded",
      headers: { "Retry-After": this.#secondsLeft() },
    });
  }

  async #read(username, spent) {
    const read = this.#store.spentOn(this.#day, username).then(
      (cost) => Object.assign(spent, { everywhere: cost, readAt: this.#now().getTime() }),
      // Without PostgreSQL, what is known here decides; the delay is spent once a second.
      () => Object.assign(spent, { readAt: this.#now().getTime() }),
    );
    await Promise.race([read, sleep(WAIT_MS)]);
    spent.readAt = this.#now().getTime();
  }

  #of(username) {
    const day = this.#now().toISOString().slice(0, 10);
    if (day !== this.#day) {
      this.#day = day;
      this.#spent.clear();
    }
    if (!this.#spent.has(username)) this.#spent.set(username, { here: 0, everywhere: 0, readAt: 0 });
    return this.#spent.get(username);
  }

  #secondsLeft() {
    const now = this.#now();
    const midnight = Date.UTC(now.getUTCFullYear(), now.getUTCMonth(), now.getUTCDate() + 1);
    return Math.max(1, Math.ceil((midnight - now.getTime()) / 1000));
  }
}
