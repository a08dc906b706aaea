import http from "node:http";
import Redis from "ioredis";
import { createApp } from "./app.js";
import { ApiKeys } from "./auth/keys.js";
import { Tokens } from "./auth/tokens.js";
import { Users } from "./auth/users.js";
import { Backend } from "./backend/backend.js";
import { Breaker } from "./backend/breaker.js";
import { Routing } from "./chat/routing.js";
import { SemanticCache } from "./chat/semantic_cache.js";
import { loadConfig } from "./config.js";
import { Database } from "./database.js";
import { Drain } from "./drain.js";
import { Limits } from "./limits.js";
import { createLogger } from "./log.js";
import { createMetrics } from "./metrics.js";
import { ModelNames } from "./model_names.js";
import { Budgets } from "./usage/budgets.js";
import { Delivery } from "./usage/delivery.js";
import { Meter } from "./usage/meter.js";
import { Prices } from "./usage/prices.js";
import { Spool } from "./usage/spool.js";
import { UsageStore } from "./usage/store.js";

const LARGEST_HEADERS_BYTES = 64 * 1024;
const KEEP_ALIVE_MS = 65_000;

async function main() {
  const log = createLogger({ level: process.env.LOG_LEVEL });
  let config;
  try {
    config = loadConfig();
  } catch (error) {
    log.fatal({ err: error }, "the configuration is wrong");
    process.exitCode = 1;
    return;
  }

  const metrics = createMetrics();
  const database = new Database({ url: config.databaseUrl, log });
  const redis = config.redisUrl ? connectRedis(config.redisUrl, log) : null;
  const breaker = new Breaker({
    onChange(state, value) {
      metrics.breaker.set(value);
      log.warn({ state }, "the breaker changed");
    },
  });
  const backend = new Backend({ ...config.backend, breaker, metrics });
  const modelNames = new ModelNames({ backend, log });
  const store = new UsageStore(database);
  const spool = new Spool(config.spoolDirectory);
  const delivery = new Delivery({ spool, store, log, metrics });
  const budgets = new Budgets({ budgets: config.budgets, store });
  const drain = new Drain({ log, milliseconds: config.drainMs });

  const app = createApp({
    log,
    metrics,
    backend,
    store,
    budgets,
    drain,
    users: new Users(config.users),
    tokens: new Tokens(config.jwtSecret),
    keys: new ApiKeys(database),
    limits: new Limits({ limits: config.limits, redis, metrics, log }),
    routing: new Routing({ rules: config.routes, variants: config.variants }),
    cache: config.semanticCache && new SemanticCache({ ...config.semanticCache, backend, metrics, log }),
    meter: new Meter({ spool, delivery, modelNames, prices: new Prices(config.prices), budgets, metrics }),
    checks: {
      backend: { check: async () => (await backend.listModels()).length > 0, required: true },
      redis: { check: async () => (await redis.ping()) === "PONG", required: false },
      postgres: { check: async () => (await database.query("SELECT 1")).rowCount === 1, required: false },
    },
  });

  await database.prepare();
  delivery.start();
  modelNames.keepFresh();
  const server = http.createServer({ maxHeaderSize: LARGEST_HEADERS_BYTES }, app);
  // Longer than a load balancer keeps its connections, so that it never uses one that is being closed.
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  server.listen(config.port, config.host, () => log.info({ host: config.host, port: config.port }, "listening"));

  for (const name of ["SIGTERM", "SIGINT"]) {
    process.once(name, async () => {
      await drain.run(server);
      await delivery.stop();
      log.info("stopped");
      process.exit(0);
    });
  }
}

function connectRedis(url, log) {
  const redis = new Redis(url, {
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    connectTimeout: 1000,
    commandTimeout: 250,
    retryStrategy: (attempt) => Math.min(attempt * 100, 1000),
  });
  redis.on("error", (error) => log.warn({ err: error }, "the connection to redis broke"));
  return redis;
}

await main();
