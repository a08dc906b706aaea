"""Rules that send requests to models, as operators write them.

[{"tier": "free", "task": "summary", "model": "small"}, {"latency_budget": 2, "model": "fast", "fallback": "small"}]
"""

from collections.abc import Iterable
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from api.services.callers import Tier

Name = Annotated[str, Field(min_length=1, max_length=256)]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]

_FORM = (
    'must be a JSON list of rules such as {"tier": "free", "task": "summary", "model": "small"}; a rule needs "model" '
    'and may have "fallback", "requested", "tier", "task" and "latency_budget" in seconds'
)


class Wish(BaseModel):
    """What is known of a request: the model that it names, and what its caller says about it."""

    model_config = ConfigDict(frozen=True)

    requested: str
    tier: Tier
    task: str | None = None
    latency_budget: float | None = None


class Route(BaseModel):
    """A rule: requests that meet all of its conditions go to `model`, and to `fallback` if that is rate limited.

    `latency_budget` is met by requests that want an answer in so many seconds or fewer.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: Name
    fallback: Name | None = None
    requested: Name | None = None
    tier: Tier | None = None
    task: Name | None = None
    latency_budget: Seconds | None = None

    def matches(self, wish: Wish) -> bool:
        return (
            self.requested in {None, wish.requested}
            and self.tier in {None, wish.tier}
            and self.task in {None, wish.task}
            and (
                self.latency_budget is None
                or (wish.latency_budget is not None and wish.latency_budget <= self.latency_budget)
            )
        )


_ROUTES = TypeAdapter(tuple[Route, ...])


def find_route(routes: Iterable[Route], wish: Wish) -> Route | None:
    """The first rule that a request meets."""
    return next((route for route in routes if route.matches(wish)), None)


def parse_routes(value: object) -> object:
    """Rules, from JSON. Raises ValueError, which does not repeat the value."""
    if not isinstance(value, str):
        return value
    try:
        return _ROUTES.validate_json(value)
    except ValidationError:
        raise ValueError(_FORM) from None
