"""Model selection as data."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

from src.models.chat import Invalid, is_number, need

TIERS = ("free", "premium", "enterprise")
TASKS = ("simple", "moderate", "complex")


@dataclass(frozen=True, slots=True)
class SelectionRequest:
    tier: str
    task_complexity: str
    latency_budget_ms: int

    @classmethod
    def load(cls, body: Any) -> Self:
        need(isinstance(body, dict), "the body must be an object")
        try:
            request = cls(**body)
        except TypeError:
            raise Invalid("tier, task_complexity and latency_budget_ms, and nothing else") from None
        need(request.tier in TIERS, "tier: unknown")
        need(request.task_complexity in TASKS, "task_complexity: unknown")
        budget = request.latency_budget_ms
        need(is_number(budget) and isinstance(budget, int) and 1 <= budget <= 60_000, "latency_budget_ms: 1 to 60000")
        return request


class Rule(NamedTuple):
    profile: str
    reason: str
    holds: Callable[[SelectionRequest], bool]


RULES = (
    Rule("quality", "enterprise gets the best", lambda r: r.tier == "enterprise"),
    Rule("cheap", "a simple task needs no more", lambda r: r.task_complexity == "simple"),
    Rule("fast", "there is little time", lambda r: r.latency_budget_ms < 1000),
    Rule("balanced", "nothing special", lambda r: True),
)
MODELS = {"quality": "gpt-4o", "cheap": "gpt-4o-mini", "fast": "gpt-4o-mini", "balanced": "gpt-4o"}
