import { randomUUID } from "node:crypto";
import express from "express";
import { ApiError, asApiError } from "./errors.js";
import { context, log } from "./log.js";
import { accountRoutes } from "./routes/accounts.js";
import { chatRoutes } from "./routes/chat.js";
import { operationRoutes } from "./routes/operations.js";

const REQUEST_ID = /^[\w.-]{1,64}$/;
const UNCOUNTED = new Set(["/metrics", "/health", "/health/detailed"]);

/** Make the application of these services: see `createServices`. */
export function createApp(services) {
  const app = express();
  app.disable("x-powered-by");
  app.disable("etag");
  app.use(withRequestId);
  app.use(measured(services.metrics));
  app.use(operationRoutes(services), accountRoutes(services), chatRoutes(services));
  app.use(notFound);
  app.use(failed);
  return app;
}

function withRequestId(req, res, next) {
  const given = req.get("x-request-id") ?? "";
  const requestId = REQUEST_ID.test(given) ? given : randomUUID();
  res.set("x-request-id", requestId);
  context.run({ requestId }, next);
}

function measured(metrics) {
  return (req, res, next) => {
    if (UNCOUNTED.has(req.path)) return next();
    const started = process.hrtime.bigint();
    const { requestId } = context.getStore();
    metrics.inFlight.inc();
    res.once("close", () => {
      const seconds = Number(process.hrtime.bigint() - started) / 1e9;
      const route = req.route?.path ?? "unknown";
      const status = res.writableFinished ? res.statusCode : 499;
      metrics.inFlight.dec();
      metrics.requests.inc({ method: req.route ? req.method : "any", route, status });
      metrics.latency.observe({ route }, seconds);
      context.run({ requestId }, () => log.info("request", { method: req.method, route, status, seconds: Number(seconds.toFixed(4)) }));
    });
    next();
  };
}

const METHODS = {
  "/v1/chat/completions": "POST",
  "/v1/embeddings": "POST",
  "/v1/models": "GET",
  "/v1/api-keys": "GET, POST",
  "/v1/usage": "GET",
  "/auth/login": "POST",
};

function notFound(req) {
  const allow = METHODS[req.path];
  if (allow) throw new ApiError(405, `${req.path} takes ${allow}`, { code: "method_not_allowed", headers: { allow } });
  throw new ApiError(404, "There is no such path", { code: "not_found" });
}

function failed(error, _req, res, _next) {
  const told = asApiError(error);
  if (told.status >= 500) log.error("a request failed", { status: told.status, code: told.code, reason: reasonOf(error) });
  if (res.destroyed || res.writableEnded) return;
  if (res.headersSent) {
    res.destroy();
    return;
  }
  res.status(told.status).set(told.headers ?? {}).json(told.body);
}

function reasonOf(error) {
  return error instanceof ApiError ? error.message : String(error?.stack ?? error);
}
