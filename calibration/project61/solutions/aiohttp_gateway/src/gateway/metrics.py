"""What Prometheus gets to see. Every label has a bounded set of values."""

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)

disable_created_metrics()

SECONDS = (0.025, 0.05, 0.1, 0.25, 0.5, 1, 1.5, 2.5, 5, 10, 30, 60)
METHODS = {"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"}


class Metrics:
    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(name, text, labels, namespace="gateway", registry=self.registry)

        def gauge(name: str, text: str) -> Gauge:
            return Gauge(name, text, namespace="gateway", registry=self.registry)

        self.requests = counter("http_requests", "Requests that have ended.", "method", "route", "status")
        self.seconds = Histogram(
            "http_request_duration_seconds",
            "Time from a request's arrival to the last byte of its answer.",
            ["route"],
            namespace="gateway",
            registry=self.registry,
            buckets=SECONDS,
        )
        self.in_flight = gauge("http_requests_in_flight", "Requests that are being answered.")
        self.tokens = counter("tokens", "Tokens that the backend reported.", "model", "kind")
        self.cost = counter("cost_dollars", "What the answers cost, in US dollars.", "model")
        self.breaker = gauge("backend_breaker_state", "The breaker: 0 closed, 1 half open, 2 open.")
        self.retries = counter("backend_retries", "Calls of the backend that were made again.")
        self.backend_failures = counter("backend_failures", "Calls of the backend that failed.", "reason")
        self.limited = counter("rate_limited", "Requests beyond a limit.", "tier")
        self.over_budget = counter("over_budget", "Requests of users whose budget is spent.", "tier")
        self.fallback = counter("ratelimit_redis_fallback", "Requests counted locally, without Redis.")
        self.redis_degraded = gauge("redis_degraded", "1 while limits are counted without Redis.")
        self.usage_pending = gauge("usage_pending_records", "Usage that has not reached PostgreSQL.")
        self.cache = counter("semantic_cache", "Look-ups in the semantic cache.", "result")
        self.variants = counter("variant_requests", "Requests of A/B tests.", "model", "variant")

    def observe(self, method: str, route: str, status: int, seconds: float) -> None:
        self.requests.labels(method if method in METHODS else "OTHER", route, str(status)).inc()
        self.seconds.labels(route).observe(seconds)
