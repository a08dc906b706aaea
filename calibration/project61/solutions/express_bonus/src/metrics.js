import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from "prom-client";

const LATENCY_BUCKETS_SECONDS = [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60];

/** Create the gateway's metrics in a registry of their own. */
export function createMetrics() {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  const counter = (name, help, labelNames = []) => new Counter({ name, help, labelNames, registers });
  const gauge = (name, help, labelNames = []) => new Gauge({ name, help, labelNames, registers });

  const metrics = {
    registry,
    requests: counter("gateway_requests_total", "Answered requests.", ["method", "route", "status"]),
    duration: new Histogram({
      name: "gateway_request_duration_seconds",
      help: "Seconds from a request to the end of its answer, streams included.",
      labelNames: ["route"],
      buckets: LATENCY_BUCKETS_SECONDS,
      registers,
    }),
    inFlight: gauge("gateway_requests_in_flight", "Requests that are being answered."),
    tokens: counter("gateway_tokens_total", "Tokens that the backend reported.", ["kind", "model"]),
    cost: counter("gateway_cost_usd_total", "Cost of the answers in US dollars.", ["model"]),
    variants: counter("gateway_variant_requests_total", "Chat requests by variant of a model.", ["model", "variant"]),
    cacheHits: counter("gateway_semantic_cache_hits_total", "Answers given again from the semantic cache."),
    backendAttempts: counter("gateway_backend_attempts_total", "Calls to the backend, retries included.", ["outcome"]),
    breaker: gauge("gateway_backend_breaker_state", "State of the breaker: 0 closed, 1 half open, 2 open."),
    rateLimited: counter("gateway_rate_limited_total", "Requests beyond a limit.", ["tier"]),
    localLimits: counter("gateway_rate_limit_local_total", "Requests limited in memory because Redis did not answer."),
    usagePending: gauge("gateway_usage_pending_records", "Records of usage that PostgreSQL does not have yet."),
  };
  for (const outcome of ["success", "failure"]) metrics.backendAttempts.inc({ outcome }, 0);
  return metrics;
}
