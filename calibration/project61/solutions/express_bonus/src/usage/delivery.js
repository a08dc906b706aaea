const BATCH = 500;
const PAUSE_MS = 1000;

/** Delivers records from the spool to the store, again and again until each has arrived. */
export class Delivery {
  #spool;
  #store;
  #log;
  #pending;
  #timer = null;
  #running = null;
  #again = false;

  constructor({ spool, store, log, metrics }) {
    this.#spool = spool;
    this.#store = store;
    this.#log = log;
    this.#pending = metrics.usagePending;
  }

  /** Deliver now, and look every second for records that are left or that a dead instance has left. */
  start() {
    this.#timer = setInterval(() => this.wake(), PAUSE_MS);
    this.wake();
  }

  wake() {
    if (this.#running) {
      this.#again = true;
      return;
    }
    this.#running = this.#deliverAll().finally(() => (this.#running = null));
  }

  /** Stop, after a last attempt to deliver what is there. */
  async stop() {
    clearInterval(this.#timer);
    await this.#running;
    this.wake();
    await this.#running;
  }

  async #deliverAll() {
    try {
      do {
        this.#again = false;
        while (await this.#deliverBatch());
      } while (this.#again);
    } catch (error) {
      this.#log.warn({ err: error }, "usage waits on disk for postgres");
    }
  }

  async #deliverBatch() {
    const ids = this.#spool.ids();
    this.#pending.set(ids.length);
    if (ids.length === 0) return false;
    const records = ids.slice(0, BATCH).map((id) => this.#spool.read(id)).filter((record) => record !== null);
    if (records.length > 0) await this.#store.insert(records);
    for (const { id } of records) this.#spool.remove(id);
    this.#pending.set(ids.length - records.length);
    return ids.length > BATCH;
  }
}
