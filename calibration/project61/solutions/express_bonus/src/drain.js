const SWEEP_MS = 200;

/** Lets running answers finish after a signal, within a time limit. */
export class Drain {
  started = false;
  #milliseconds;
  #log;

  constructor({ milliseconds, log }) {
    this.#milliseconds = milliseconds;
    this.#log = log;
  }

  /** Refuse new connections, and return when all answers have ended or the time is over. */
  async run(server) {
    this.started = true;
    this.#log.info("draining");
    const timer = setTimeout(() => {
      this.#log.warn("the time to drain is over");
      server.closeAllConnections();
    }, this.#milliseconds);
    // A connection that is kept alive after its answer would hold up the end.
    const sweep = setInterval(() => server.closeIdleConnections(), SWEEP_MS);
    await new Promise((resolve) => server.close(resolve));
    clearInterval(sweep);
    clearTimeout(timer);
  }
}
