import pg from "pg";
import { log } from "./log.js";

const SCHEMA = `
CREATE TABLE IF NOT EXISTS api_keys (
  id uuid PRIMARY KEY, owner text NOT NULL, name text NOT NULL, hash text NOT NULL UNIQUE,
  created_at timestamptz NOT NULL DEFAULT now(), revoked_at timestamptz
);
CREATE TABLE IF NOT EXISTS usage_rows (
  id uuid PRIMARY KEY, username text NOT NULL, model text NOT NULL, prompt_tokens bigint NOT NULL,
  completion_tokens bigint NOT NULL, cost double precision NOT NULL, at timestamptz NOT NULL
);
CREATE INDEX IF NOT EXISTS usage_by_user ON usage_rows (username);`;
const AGAIN_MS = 500;

/** PostgreSQL, whose tables are made in the background: the service starts, and answers, without it. */
export class Database {
  #pool;
  #ready = false;
  #closed = false;

  constructor(url) {
    this.#pool = new pg.Pool({
      connectionString: url,
      max: 8,
      connectionTimeoutMillis: 1_500,
      query_timeout: 3_000,
      keepAlive: true,
    });
    this.#pool.on("error", () => {});
  }

  async makeTables() {
    while (!this.#ready && !this.#closed) {
      try {
        // Two instances may start at once.
        await this.#pool.query(`BEGIN; SELECT pg_advisory_xact_lock(7061); ${SCHEMA} COMMIT;`);
        this.#ready = true;
        log.info("the tables are there");
      } catch (error) {
        log.warn("the tables could not be made yet", { reason: error.message });
        await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
      }
    }
  }

  query(text, values) {
    if (!this.#ready) throw new Error("the tables are not there yet");
    return this.#pool.query(text, values);
  }

  async close() {
    this.#closed = true;
    await this.#pool.end();
  }
}
