import { Router } from "express";
import { openapi } from "../openapi.js";

const PATIENCE_MS = 1_000;

/** What operators and their tools ask: health, metrics and the description of the API. */
export function operationRoutes({ metrics, database, redis, breaker, state }) {
  const router = Router();

  router.get("/health", (_req, res) => {
    res.json({ status: "ok" });
  });

  router.get("/health/detailed", async (_req, res) => {
    const [postgres, shared] = await Promise.all([
      works(async () => database.query("SELECT 1")),
      works(async () => redis?.ping()),
    ]);
    // Answers need neither: without them usage waits, and limits are kept in this process.
    const ready = !state.stopping && !breaker.isOpen;
    const parts = { backend: breaker.isOpen ? "unavailable" : "ok", postgres: told(postgres), redis: told(shared) };
    res.status(ready ? 200 : 503).json({ status: ready ? "ready" : "not ready", parts });
  });

  router.get("/metrics", async (_req, res) => {
    res.type(metrics.registry.contentType).send(await metrics.registry.metrics());
  });

  router.get("/openapi.json", (_req, res) => {
    res.json(openapi);
  });

  return router;
}

const told = (works) => (works ? "ok" : "unavailable");

async function works(ask) {
  let timer;
  const late = new Promise((_, reject) => (timer = setTimeout(reject, PATIENCE_MS)));
  try {
    await Promise.race([ask(), late]);
    return true;
  } catch {
    return false;
  } finally {
    clearTimeout(timer);
  }
}
