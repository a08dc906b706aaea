"""Limits as operators write them: `{"free": "10/minute"}`, and budgets in US dollars a day."""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from api.services.callers import Caller, Tier

SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}

_RATE = re.compile(rf"([1-9]\d{{0,11}})\s*/\s*({'|'.join(SECONDS)})")
_TIERS = ", ".join(Tier)
_RATES_FORM = (
    f"must be a JSON object of tiers ({_TIERS}) and rates per second, minute, hour or day, "
    'such as {"free": "10/minute"}'
)
_BUDGETS_FORM = (
    f"must be a JSON object of US dollars a day for tiers ({_TIERS}) or users, "
    'such as {"free": 0.5, "user:alice": 20}'
)
_USER = "user:"


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `limit` in each window of `seconds`."""

    limit: int
    seconds: int


@dataclass(frozen=True, slots=True)
class Budgets:
    """US dollars a day. A user's own budget counts instead of the tier's."""

    tiers: Mapping[Tier, float]
    users: Mapping[str, float]

    def of(self, caller: Caller) -> float | None:
        """The caller's budget, or None if there is none."""
        return self.users.get(caller.user, self.tiers.get(caller.tier))


def parse_rates(value: object) -> object:
    """Rates by tier, from JSON. Raises ValueError, which does not repeat the value."""
    if not isinstance(value, str):
        return value
    return {_tier(name, _RATES_FORM): _rate(rate) for name, rate in _load(value, _RATES_FORM).items()}


def parse_budgets(value: object) -> object:
    """Budgets, from JSON. Raises ValueError, which does not repeat the value."""
    if not isinstance(value, str):
        return value
    tiers, users = {}, {}
    for name, dollars in _load(value, _BUDGETS_FORM).items():
        if name.startswith(_USER):
            users[name.removeprefix(_USER)] = _dollars(dollars)
        else:
            tiers[_tier(name, _BUDGETS_FORM)] = _dollars(dollars)
    return Budgets(tiers=tiers, users=users)


def _load(value: str, form: str) -> dict[str, Any]:
    try:
        loaded = json.loads(value)
    except (ValueError, RecursionError):
        raise ValueError(form) from None
    if not isinstance(loaded, dict):
        raise ValueError(form)  # noqa: TRY004  pydantic reports ValueError by field, and lets TypeError out
    return loaded


def _tier(name: str, form: str) -> Tier:
    try:
        return Tier(name)
    except ValueError:
        raise ValueError(form) from None


def _rate(value: object) -> Rate:
    match = _RATE.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ValueError(_RATES_FORM)
    return Rate(limit=int(match[1]), seconds=SECONDS[match[2]])


def _dollars(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise ValueError(_BUDGETS_FORM)
    return float(value)
