import { Backend } from "./backend.js";
import { Breaker } from "./breaker.js";
import { KeyStore } from "./auth/keys.js";
import { Limiter } from "./limits.js";
import { createMetrics } from "./metrics.js";
import { Journal } from "./usage/journal.js";
import { Ledger } from "./usage/ledger.js";

/** Make what the application is built of; `database` and `redis` are connections, or what stands in for them in tests. */
export function createServices({ config, database, redis }) {
  const metrics = createMetrics();
  const breaker = new Breaker(config.breaker, metrics.breaker);
  return {
    config,
    database,
    redis,
    metrics,
    breaker,
    backend: new Backend({ config, breaker, metrics }),
    keys: new KeyStore(database),
    limiter: new Limiter({ limits: config.rateLimits, redis, metrics }),
    ledger: new Ledger({ database, journal: new Journal(config.journalFolder), metrics, prices: config.prices }),
    state: { stopping: false },
  };
}
