import pg from "pg";
import { ApiError } from "./errors.js";

const CONNECT_MS = 2000;
const QUERY_MS = 3000;

// COUNT and SUM are bigint and numeric, which pg would return as texts.
pg.types.setTypeParser(pg.types.builtins.INT8, Number);
pg.types.setTypeParser(pg.types.builtins.NUMERIC, Number);

// Instances that start together must not create the tables at the same time.
const SCHEMA = `
SELECT pg_advisory_xact_lock(6101);
CREATE TABLE IF NOT EXISTS api_keys (
  id uuid PRIMARY KEY,
  username text NOT NULL,
  name text NOT NULL,
  hash text NOT NULL UNIQUE,
  created_at timestamptz NOT NULL DEFAULT now(),
  revoked_at timestamptz
);
CREATE TABLE IF NOT EXISTS usage_records (
  id uuid PRIMARY KEY,
  at timestamptz NOT NULL,
  username text NOT NULL,
  model text NOT NULL,
  prompt_tokens bigint NOT NULL,
  completion_tokens bigint NOT NULL,
  cost numeric NOT NULL
);
CREATE INDEX IF NOT EXISTS usage_by_user ON usage_records (username, at);
`;

/** PostgreSQL, with a limit on every wait. */
export class Database {
  #pool;
  #log;

  constructor({ url, log }) {
    this.#log = log;
    this.#pool = new pg.Pool({
      connectionString: url,
      max: 10,
      connectionTimeoutMillis: CONNECT_MS,
      query_timeout: QUERY_MS,
      statement_timeout: QUERY_MS,
    });
    // Without a listener, a connection that breaks while it is idle ends the process.
    this.#pool.on("error", (error) => log.warn({ err: error }, "a connection to postgres broke"));
  }

  /** Create the tables; try again in the background until it succeeds. */
  async prepare() {
    try {
      await this.#pool.query(`BEGIN; ${SCHEMA} COMMIT`);
    } catch (error) {
      this.#log.warn({ err: error }, "the tables could not be created yet");
      setTimeout(() => this.prepare(), 1000).unref();
    }
  }

  /** Run a query, or throw an ApiError with status 503 when PostgreSQL does not answer. */
  async query(text, values) {
    try {
      return await this.#pool.query(text, values);
    } catch (error) {
      this.#log.warn({ err: error }, "postgres does not answer");
      throw new ApiError(503, "The database is not available.", {
        code: "database_unavailable",
        headers: { "Retry-After": 5 },
      });
    }
  }
}
