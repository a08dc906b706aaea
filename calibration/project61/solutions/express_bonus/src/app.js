import { randomUUID } from "node:crypto";
import express from "express";
import { authenticate, permit } from "./auth/guard.js";
import { ApiError, toApiError } from "./errors.js";
import { limit } from "./limits.js";
import { requestContext } from "./log.js";
import { openapi } from "./openapi.js";
import { createKey, listKeys, revokeKey } from "./routes/api_keys.js";
import { chat } from "./routes/chat.js";
import { embeddings } from "./routes/embeddings.js";
import { alive, readiness } from "./routes/health.js";
import { login } from "./routes/login.js";
import { models } from "./routes/models.js";
import { usage } from "./routes/usage.js";

const LARGEST_BODY = "10mb";
const REQUEST_ID = /^[\w.-]{1,64}$/;
const METHODS = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]);

/** Build the Express application from its services, without starting anything. */
export function createApp(services) {
  const { metrics, limits, log } = services;
  const app = express();
  app.disable("x-powered-by");
  app.disable("etag");

  const authenticated = authenticate(services);
  const limited = limit(limits);
  const bytes = express.raw({ type: () => true, limit: LARGEST_BODY });

  app.use(identify);
  app.get("/metrics", async (req, res) => {
    res.set("Content-Type", metrics.registry.contentType).end(await metrics.registry.metrics());
  });
  app.use(observe(metrics, log));

  app.get("/health", alive());
  app.get("/health/detailed", readiness(services));
  app.get("/openapi.json", (req, res) => res.json(openapi));
  app.post("/auth/login", bytes, login(services));

  app.post("/v1/chat/completions", authenticated, permit("chat"), limited, bytes, chat(services));
  app.post("/v1/embeddings", authenticated, permit("embeddings"), limited, bytes, embeddings(services));
  app.get("/v1/models", authenticated, permit("models"), limited, models(services));
  app.post("/v1/api-keys", authenticated, bytes, createKey(services));
  app.get("/v1/api-keys", authenticated, listKeys(services));
  app.delete("/v1/api-keys/:id", authenticated, revokeKey(services));
  app.get("/v1/usage", authenticated, permit("usage"), usage(services));

  app.all("/health", only("GET"));
  app.all("/health/detailed", only("GET"));
  app.all("/openapi.json", only("GET"));
  app.all("/auth/login", only("POST"));
  app.all("/v1/chat/completions", authenticated, only("POST"));
  app.all("/v1/embeddings", authenticated, only("POST"));
  app.all("/v1/models", authenticated, only("GET"));
  app.all("/v1/api-keys", authenticated, only("GET, POST"));
  app.all("/v1/api-keys/:id", authenticated, only("DELETE"));
  app.all("/v1/usage", authenticated, only("GET"));

  app.all("/v1/*path", authenticated, unknown);
  app.use(unknown);
  app.use(answerError(log));
  return app;
}

/** Give the request an id, the caller's if it is harmless, and answer with it. */
function identify(req, res, next) {
  const told = req.get("X-Request-ID") ?? "";
  const requestId = REQUEST_ID.test(told) ? told : randomUUID();
  res.set("X-Request-ID", requestId);
  requestContext.run({ requestId }, next);
}

/** Count and time each request until the end of its answer, and write a log line about it. */
function observe({ requests, duration, inFlight }, log) {
  return (req, res, next) => {
    const started = process.hrtime.bigint();
    const context = requestContext.getStore();
    inFlight.inc();
    res.on("close", () => {
      const seconds = Number(process.hrtime.bigint() - started) / 1e9;
      const route = req.route?.path ?? "other";
      const method = METHODS.has(req.method) ? req.method : "other";
      const status = res.writableFinished ? res.statusCode : 499;
      inFlight.dec();
      requests.inc({ method, route, status });
      duration.observe({ route }, seconds);
      requestContext.run(context, () =>
        log.info({ method, route, status, seconds, user: req.user?.username }, "request"),
      );
    });
    next();
  };
}

function only(methods) {
  return (req, res, next) => {
    next(new ApiError(405, `Use ${methods} here.`, { code: "method_not_allowed", headers: { Allow: methods } }));
  };
}

function unknown(req, res, next) {
  next(new ApiError(404, "There is nothing at this path.", { code: "not_found" }));
}

function answerError(log) {
  // Express recognizes a handler of errors by its four parameters.
  return (error, req, res, _next) => {
    if (res.destroyed) return;
    const told = toApiError(error);
    if (told.status >= 500) log.error({ err: error }, "a request failed");
    if (res.headersSent) {
      res.destroy();
      return;
    }
    res.status(told.status).set(told.headers).json(told.body());
  };
}
