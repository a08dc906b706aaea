import { setTimeout as sleep } from "node:timers/promises";

const REFRESH_MS = 30_000;
const RETRY_MS = 1000;

/** The names of the backend's models: the only ones that become labels, however many others a backend answers. */
export class ModelNames {
  #names = new Set();
  #backend;
  #log;

  constructor({ backend, log }) {
    this.#backend = backend;
    this.#log = log;
  }

  label(model) {
    return this.#names.has(model) ? model : "other";
  }

  /** Ask the backend for its models once. */
  async refresh() {
    this.#names = new Set(await this.#backend.listModels());
  }

  /** Ask the backend for its models again and again, until the process ends. */
  async keepFresh() {
    for (;;) {
      let pauseMs = REFRESH_MS;
      try {
        await this.refresh();
      } catch (error) {
        pauseMs = RETRY_MS;
        this.#log.warn({ err: error }, "the backend does not list its models");
      }
      await sleep(pauseMs, undefined, { ref: false });
    }
  }
}
