import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from "prom-client";

/** Make the metrics of one instance. Labels take routes, statuses, tiers and models of the backend alone. */
export function createMetrics() {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const registers = [registry];
  const metrics = {
    registry,
    requests: new Counter({
      name: "gateway_requests_total",
      help: "Requests by route and status.",
      labelNames: ["method", "route", "status"],
      registers,
    }),
    latency: new Histogram({
      name: "gateway_request_duration_seconds",
      help: "Seconds from a request to the end of its answer.",
      labelNames: ["route"],
      buckets: [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60],
      registers,
    }),
    inFlight: new Gauge({ name: "gateway_requests_in_flight", help: "Requests that are being answered.", registers }),
    tokens: new Counter({
      name: "gateway_tokens_total",
      help: "Tokens by kind and model.",
      labelNames: ["kind", "model"],
      registers,
    }),
    cost: new Counter({
      name: "gateway_cost_usd_total",
      help: "Cost of answers in US dollars.",
      labelNames: ["model"],
      registers,
    }),
    limited: new Counter({
      name: "gateway_rate_limited_total",
      help: "Requests beyond the limit of their tier.",
      labelNames: ["tier"],
      registers,
    }),
    limitFallbacks: new Counter({
      name: "gateway_rate_limit_fallback_total",
      help: "Requests that were limited in this process because Redis did not answer.",
      registers,
    }),
    retries: new Counter({ name: "gateway_backend_retries_total", help: "Repeated calls of the backend.", registers }),
    breaker: new Gauge({
      name: "gateway_breaker_open",
      help: "State of the circuit breaker: 0 closed, 0.5 half open, 1 open.",
      registers,
    }),
    pendingUsage: new Gauge({
      name: "gateway_usage_pending_rows",
      help: "Rows of usage that PostgreSQL does not have yet.",
      registers,
    }),
  };
  metrics.limitFallbacks.inc(0);
  metrics.breaker.set(0);
  return metrics;
}
