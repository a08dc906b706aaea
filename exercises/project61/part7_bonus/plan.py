"""What the experiments of part 7 give the service, and the numbers of its page, for experiments and checks alike."""

import json
import random
from dataclasses import dataclass
from typing import Any

from chaos.history import Given, History
from exercises.project61.more_users import contract, draw_user, with_more_users
from lab.settings import Settings

NOT_BUILT = "not built: "
"""How the report says that a challenge was not taken up."""

ROUTES, BUDGETS, VARIANTS = "MODEL_ROUTES", "DAILY_BUDGETS", "MODEL_VARIANTS"
CACHE = "SEMANTIC_CACHE"

TASKS = ("summary", "translation", "extraction", "classification", "rewriting")
OWN_BUDGET = 10_000.0
"""US dollars a day for one user, whose tier has a small budget."""
COSTLY_TOKENS = (40_000_000, 40_000_000)
"""Of an answer that is over every small budget, even at a cent for a million tokens."""
COSTLY_DOLLARS = 25.0
STOPPED = "free"
"""The role whose user has the budget of a tier."""
STOPPED_SECONDS = 5.0
"""How long a budget may go unnoticed once it is spent."""
STOPPED_PATIENCE_SECONDS = 15.0
"""How long the lab waits for that. After a late answer, a right service may leave its database alone for some seconds."""
ARRIVAL_SECONDS = 10.0
"""How long usage may be on its way to a report."""

KEPT_SECONDS = 8.0
"""How long a cache may take to keep an answer. On a busy machine a service may leave its cache alone for seconds."""

MORE_USERS = 12
"""Beside those of the contract who may chat."""
EVEN, UNEVEN = "1 to 1", "99 to 1"
MOST_LIGHT = 4
"""Of 16 users, how many may have a variant with a hundredth of the weight: more come by chance once in 2 million runs."""


@dataclass(frozen=True, slots=True)
class Split:
    """A model, and its variants with their weights."""

    model: str
    weights: dict[str, float]


def rules_and_budgets(source: random.Random) -> Settings:
    """Return three rules for models, a small budget for two tiers, and a large one for a user of one of them.

    The small one is enough for all requests but the costly ones, or a service that stops the wrong user has no usage either.
    """
    task = source.choice(TASKS)
    first, second, third = source.sample(_models()[1:], 3)
    rules = [
        {"tier": "free", "task": task, "model": first},
        {"task": task, "model": second},
        {"latency_budget": source.choice((1.5, 2, 3)), "model": third, "fallback": first},
    ]
    small = source.randrange(20, 60) / 100
    budgets = {"free": small, "premium": small, f"user:{contract().users['premium'].name}": OWN_BUDGET}
    return Settings(variables={ROUTES: json.dumps(rules), BUDGETS: json.dumps(budgets)})


def variants_and_users(source: random.Random) -> Settings:
    """Return two models with two variants each, and more users than the contract has."""
    even, uneven, one, two = source.sample(_models(), 4)
    weights = [99, 1]
    source.shuffle(weights)
    splits = {even: {one: 1, two: 1}, uneven: dict(zip((one, two), weights, strict=True))}
    more = [draw_user(source, source.choice(("free", "premium", "enterprise"))) for _ in range(MORE_USERS)]
    return Settings(variables={VARIANTS: json.dumps(splits)}, composed=with_more_users(more))


def semantic_cache(source: random.Random) -> Settings:
    """Return a semantic cache that forgets soon."""
    rules = {
        "model": source.choice(_models()),
        "threshold": source.choice((0.86, 0.88, 0.9)),
        "ttl": source.choice((6, 7)),
    }
    return Settings(variables={CACHE: json.dumps(rules)})


def given(history: History, variable: str) -> Any:
    """Return what a variable of the experiment holds, as JSON."""
    values = (event.variables.get(variable) for event in history.of(Given))
    return json.loads(next(value for value in values if value))


def splits_of(history: History) -> dict[str, Split]:
    """Return the models with variants, by whether their weights are alike."""
    return {
        EVEN if len(set(weights.values())) == 1 else UNEVEN: Split(model, weights)
        for model, weights in given(history, VARIANTS).items()
    }


def small_budget(history: History) -> float:
    """Return what a day may cost a user of the tiers that have a budget, in US dollars."""
    return float(given(history, BUDGETS)["free"])


def stopped(kind: str) -> str:
    """Return the label of requests for this kind of answer by the user who is stopped."""
    return f"stopped: {kind}"


def limited(kind: str) -> str:
    """Return the label of the request for this kind of answer whose model the backend refuses by its rate."""
    return f"rate limited: {kind}"


def go_on(role: str) -> str:
    """Return the label of requests by a user who goes on."""
    return f"goes on: {role}"


def _models() -> tuple[str, ...]:
    ask = contract().ask
    assert ask
    return tuple(ask.models)
