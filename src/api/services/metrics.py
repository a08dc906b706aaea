"""The service's metrics, in the registry that `GET /metrics` exposes."""

from collections.abc import Callable

from prometheus_client import Counter, Gauge, Histogram

from api.services.answered import Answered

HTTP_REQUESTS = Counter("http_requests_total", "Answers given.", ["method", "route", "status"])
HTTP_SECONDS = Histogram(
    "http_request_duration_seconds",
    "Time to the end of the answer.",
    ["method", "route"],
    buckets=(0.01, 0.05, 0.1, 0.5, 1, 2.5, 5, 10, 20, 30),
)
HTTP_IN_FLIGHT = Gauge("http_requests_in_flight", "Requests whose answers have not ended yet.")
LLM_CALLS = Counter("llm_upstream_calls_total", "Calls to the model, retries included.", ["model", "outcome"])
LLM_RETRIES = Counter("llm_retries_total", "Calls that were made again.", ["model"])
LLM_TOKENS = Counter("llm_tokens_total", "Tokens used.", ["model", "kind"])
LLM_COST = Counter("llm_cost_usd_total", "US dollars spent.", ["model"])
BREAKER_STATE = Gauge("llm_circuit_breaker_state", "0 closed, 1 half-open, 2 open.")
CACHE_LOOKUPS = Counter("llm_cache_lookups_total", "Lookups in the cache.", ["outcome"])
SEMANTIC_CACHE_LOOKUPS = Counter(
    "llm_semantic_cache_lookups_total", "Lookups in the semantic cache.", ["outcome"]
)
TRACES = Counter("llm_traces_total", "Traces, by where they went.", ["destination"])
LIMITS_DECISIONS = Counter(
    "limits_decisions_total", "Requests admitted, or refused by the limit that is named.", ["tier", "outcome"]
)
LIMITS_LOCAL = Counter(
    "limits_local_total",
    "Decisions of this process alone because Redis did not make them in time.",
    ["reason"],
)
LIMITS_SHARED = Gauge(
    "limits_shared", "1 if limits are shared through Redis, 0 if they are kept in this process."
)
LIMITS_WAIT = Histogram(
    "limits_wait_seconds",
    "Time that a decision took.",
    buckets=(0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.025, 0.05, 0.1),
)
MODEL_CHOICES = Counter(
    "model_choices_total", "Models chosen for requests, by what led to them.", ["model", "reason"]
)
DATABASE_UP = Gauge("database_up", "1 while the database answers.")
USAGE_ROWS = Counter("usage_rows_total", "Rows of usage, by what became of them.", ["outcome"])
USAGE_OUTBOX_ROWS = Gauge("usage_outbox_rows", "Rows of usage on disk that the database does not have yet.")
USAGE_OUTBOX_BYTES = Gauge("usage_outbox_bytes", "What they take on disk.")


def count_answer(answered: Answered, *, label: Callable[[str], str]) -> None:
    """Count the tokens and the cost of an answer; one from the cache has used none."""
    if answered.cached or not answered.prompt_tokens + answered.completion_tokens:
        return
    model = label(answered.model)
    LLM_TOKENS.labels(model, "prompt").inc(answered.prompt_tokens)
    LLM_TOKENS.labels(model, "completion").inc(answered.completion_tokens)
    LLM_COST.labels(model).inc(answered.cost)
