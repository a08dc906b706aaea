"""The model for a request: the first rule that it meets, then the user's variant of the model that this names."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from api.services.callers import Caller
from api.services.metrics import MODEL_CHOICES
from api.services.routing.routes import Route, Wish, find_route
from api.services.routing.variants import Variants, pick_variant

AS_REQUESTED = "as requested"
"""The label of models that callers name: those are not ours to bound."""


@dataclass(frozen=True, slots=True)
class Choice:
    """`model` is to be asked, and `fallback`, if there is one, when that is rate limited.

    `reason` is what led to the model; `headers` tell it to the caller.
    """

    model: str
    fallback: str | None = None
    reason: Literal["requested", "route", "variant"] = "requested"

    @property
    def headers(self) -> Mapping[str, str]:
        return {} if self.reason == "requested" else {"X-Model": self.model, "X-Model-Reason": self.reason}


def choose(routes: Sequence[Route], variants: Variants, wish: Wish, user: str) -> Choice:
    """The model for a request."""
    route = find_route(routes, wish)
    choice = (
        Choice(wish.requested)
        if route is None
        else Choice(route.model, fallback=route.fallback, reason="route")
    )
    variant = pick_variant(variants, choice.model, user)
    return choice if variant is None else Choice(variant, fallback=choice.fallback, reason="variant")


class ModelRouter:
    """Chooses models, and counts the choices."""

    def __init__(self, routes: Sequence[Route], variants: Variants) -> None:
        self._routes = routes
        self._variants = variants

    def choose_model(
        self, caller: Caller, requested: str, *, task: str | None = None, latency_budget: float | None = None
    ) -> Choice:
        """The model for a request that names `requested`; its latency budget is in seconds."""
        wish = Wish(requested=requested, tier=caller.tier, task=task, latency_budget=latency_budget)
        choice = choose(self._routes, self._variants, wish, caller.user)
        MODEL_CHOICES.labels(_label(choice), choice.reason).inc()
        return choice


def _label(choice: Choice) -> str:
    return AS_REQUESTED if choice.reason == "requested" else choice.model
