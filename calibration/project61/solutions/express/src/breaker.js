import { ApiError } from "./errors.js";
import { log } from "./log.js";

/** Keeps calls from a backend that has failed several times in a row; after a pause one call tries whether it is back. */
export class Breaker {
  #failures = 0;
  #openedAt = 0;
  #probing = false;

  constructor({ failures, coolDownMs }, gauge, now = Date.now) {
    this.limit = failures;
    this.coolDownMs = coolDownMs;
    this.gauge = gauge;
    this.now = now;
  }

  get isOpen() {
    return this.#openedAt > 0;
  }

  /** Let a call through, or throw an ApiError 503 that says when to come back. */
  enter() {
    if (!this.isOpen) return;
    const left = this.#openedAt + this.coolDownMs - this.now();
    if (left > 0 || this.#probing) {
      const seconds = Math.max(1, Math.ceil(left / 1000));
      throw new ApiError(503, "The backend is not available", {
        code: "backend_unavailable",
        headers: { "retry-after": String(seconds) },
      });
    }
    this.#probing = true;
    this.gauge.set(0.5);
  }

  succeeded() {
    if (this.isOpen) log.info("the breaker is closed");
    this.#failures = 0;
    this.#openedAt = 0;
    this.#probing = false;
    this.gauge.set(0);
  }

  failed() {
    this.#failures += 1;
    if (this.#probing || this.#failures >= this.limit) {
      if (!this.isOpen) log.warn("the breaker is open", { failures: this.#failures });
      this.#openedAt = this.now();
      this.gauge.set(1);
    }
    this.#probing = false;
  }

  /** A call that ended for another reason, such as a caller who left, says nothing. */
  abandoned() {
    if (this.#probing) this.gauge.set(1);
    this.#probing = false;
  }
}
