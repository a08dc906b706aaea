"""Which model a chat request goes to: by rules, then by the variants of an A/B test."""

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .identity import Caller
from .settings import Rule


@dataclass(frozen=True)
class Choice:
    model: str
    fallback: str | None = None


def seconds(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) else None


class Router:
    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = rules

    def choose(self, caller: Caller, model: str, task: str | None, budget: float | None) -> Choice:
        for rule in self._rules:
            if rule.tier is not None and rule.tier != caller.tier:
                continue
            if rule.task is not None and rule.task != task:
                continue
            if rule.latency_budget is not None and (budget is None or rule.latency_budget < budget):
                continue
            return Choice(rule.model, rule.fallback)
        return Choice(model)


class Experiments:
    """A user's variant is a function of both names: no instance has to remember it."""

    def __init__(self, variants: Mapping[str, Mapping[str, float]]) -> None:
        self._variants = variants

    def pick(self, model: str, user: str) -> str | None:
        weights = self._variants.get(model)
        if not weights:
            return None
        hashed = hashlib.sha256(f"{model}\n{user}".encode("utf-8", "replace")).digest()
        point = int.from_bytes(hashed[:8], "big") / 2**64 * sum(weights.values())
        for variant, weight in weights.items():
            point -= weight
            if point < 0:
                return variant
        return next(reversed(weights))
