"""The service's metrics, in the registry that `GET /metrics` exposes."""

from prometheus_client import Counter, Gauge, Histogram

HTTP_REQUESTS = Counter("http_requests_total", "Answers given.", ["method", "route", "status"])
HTTP_SECONDS = Histogram(
    "http_request_duration_seconds",
    "Time to the end of the answer.",
    ["method", "route"],
    buckets=(0.01, 0.05, 0.1, 0.5, 1, 2.5, 5, 10, 20, 30),
)
LLM_CALLS = Counter("llm_upstream_calls_total", "Calls to the model, retries included.", ["model", "outcome"])
LLM_RETRIES = Counter("llm_retries_total", "Calls that were made again.", ["model"])
LLM_TOKENS = Counter("llm_tokens_total", "Tokens used.", ["model", "kind"])
LLM_COST = Counter("llm_cost_usd_total", "US dollars spent.", ["model"])
BREAKER_STATE = Gauge("llm_circuit_breaker_state", "0 closed, 1 half-open, 2 open.")
CACHE_LOOKUPS = Counter("llm_cache_lookups_total", "Lookups in the cache.", ["outcome"])
TRACES = Counter("llm_traces_total", "Traces, by where they went.", ["destination"])
