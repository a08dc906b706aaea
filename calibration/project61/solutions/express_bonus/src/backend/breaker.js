import { ApiError } from "../errors.js";

const STATES = { closed: 0, "half-open": 1, open: 2 };

/** Refuses calls after failures in a row, and lets one probe through after the cool-down. */
export class Breaker {
  #failures = 0;
  #openedAt = 0;
  #state = "closed";
  #threshold;
  #coolDownMs;
  #now;
  #onChange;

  constructor({ threshold = 5, coolDownMs = 5000, now = Date.now, onChange = () => {} } = {}) {
    this.#threshold = threshold;
    this.#coolDownMs = coolDownMs;
    this.#now = now;
    this.#onChange = onChange;
  }

  get state() {
    return this.#state;
  }

  /** Run the call, or throw an ApiError with status 503 while the breaker is open. `isFailure` judges its errors. */
  async run(call, isFailure) {
    this.#enter();
    const probing = this.#state === "half-open";
    try {
      const result = await call();
      this.#succeed();
      return result;
    } catch (error) {
      const verdict = isFailure(error);
      if (verdict === true) this.#fail();
      else if (verdict === false) this.#succeed();
      else if (probing) this.#become("open");
      throw error;
    }
  }

  #enter() {
    if (this.#state === "closed") return;
    const waitMs = this.#openedAt + this.#coolDownMs - this.#now();
    if (this.#state === "half-open" || waitMs > 0) {
      const seconds = Math.max(1, Math.ceil(waitMs / 1000));
      throw new ApiError(503, "The backend does not work at the moment.", {
        code: "backend_unavailable",
        headers: { "Retry-After": seconds },
      });
    }
    this.#become("half-open");
  }

  #succeed() {
    this.#failures = 0;
    this.#become("closed");
  }

  #fail() {
    this.#failures += 1;
    if (this.#state !== "half-open" && this.#failures < this.#threshold) return;
    this.#openedAt = this.#now();
    this.#become("open");
  }

  #become(state) {
    if (state === this.#state) return;
    this.#state = state;
    this.#onChange(state, STATES[state]);
  }
}
