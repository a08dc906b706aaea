"""The experiment of exercise 5."""

import itertools
import random
from typing import Any

from lab.experiment import experiment
from lab.lab import Lab

__all__ = ["selections"]

TIERS = ("free", "premium", "enterprise")
TASKS = ("simple", "moderate", "complex")
FAST_BELOW = 1000
MOST = 60_000


@experiment(seconds=2, needs="start")
async def selections(lab: Lab) -> None:
    """Ask for a model with every combination of tier and task, on both sides of the budget, and with what is unknown."""
    source = random.Random(lab.key())  # noqa: S311 - must be replayable
    for tier, task in itertools.product(TIERS, TASKS):
        low, high = (
            source.choice([1, source.randrange(2, FAST_BELOW), FAST_BELOW - 1]),
            source.choice([FAST_BELOW, MOST]),
        )
        for budget in (low, high, FAST_BELOW - 1, FAST_BELOW):
            await _select(
                lab, f"{tier} {task} {budget}", tier=tier, task_complexity=task, latency_budget_ms=budget
            )
    good: dict[str, Any] = {"tier": "free", "task_complexity": "complex", "latency_budget_ms": 5000}
    for name, value in (
        ("tier", "gold"),
        ("task_complexity", "hard"),
        ("latency_budget_ms", 0),
        ("latency_budget_ms", MOST + 1),
    ):
        await _select(lab, f"unknown {name} {value}", **{**good, name: value})
    for name in good:
        await _select(
            lab, f"unknown without {name}", **{key: value for key, value in good.items() if key != name}
        )


async def _select(lab: Lab, label: str, **body: Any) -> None:
    await lab.client.json("POST", lab.endpoint("select"), body, label=label)
