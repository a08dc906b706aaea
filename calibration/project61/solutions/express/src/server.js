import { createServer } from "node:http";
import { createApp } from "./app.js";
import { readConfig } from "./config.js";
import { Database } from "./database.js";
import { connectRedis } from "./limits.js";
import { log } from "./log.js";
import { createServices } from "./services.js";

const DRAIN_MS = 25_000;
const DELIVERY_MS = 2_000;

function configured() {
  try {
    return readConfig();
  } catch (error) {
    log.error("the settings are not valid", { reason: error.message });
    process.exit(1);
  }
}

const config = configured();
const database = new Database(config.databaseUrl);
const redis = config.redisUrl ? connectRedis(config.redisUrl) : null;
const services = createServices({ config, database, redis });
const server = createServer(createApp(services));
// nginx and load balancers keep idle connections for a minute: this side must not close them first.
server.keepAliveTimeout = 75_000;
server.listen(config.port, config.host, () => log.info("serving", { port: config.port }));
database.makeTables();

async function stop(signal) {
  if (services.state.stopping) return;
  services.state.stopping = true;
  log.info("stopping", { signal });
  setTimeout(() => server.closeAllConnections(), DRAIN_MS).unref();
  await new Promise((resolve) => {
    server.close(resolve);
    server.closeIdleConnections();
  });
  await services.ledger.close(DELIVERY_MS);
  redis?.disconnect();
  await Promise.race([Promise.all([services.backend.close(), database.close()]), new Promise((resolve) => setTimeout(resolve, 1_000))]);
  log.info("stopped");
  process.exit(0);
}

process.on("SIGTERM", stop);
process.on("SIGINT", stop);
