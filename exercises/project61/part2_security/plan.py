"""What the experiments of part 2 send and to whom, and the numbers of its page, for experiments and checks alike."""

import json
import random
from collections.abc import Mapping
from typing import Any

from chaos.history import Answer, Failure, Given, History
from chaos.http_client import Client
from exercises.project61.more_users import draw_user, with_more_users
from lab.lab import Lab
from lab.prompts import prompt
from lab.settings import Settings

TIERS = ("free", "premium", "enterprise")
"""The contract's roles of the same names have these tiers."""
WINDOW_SECONDS = 60.0
TRIES = 3
"""Users of a tier who may let too much through, one after the other, until the tier's limit does not hold.

Of a right service, one of them may meet a new window, or an answer of Redis that comes too late.
"""
REVOKED_SECONDS = 5.0
"""How long another part of the service may still accept a key that was revoked."""
PATIENCE_SECONDS = 10.0
"""How long usage may be on its way to a report."""
REFUSED = (403, 404)


def one_who_chats(source: random.Random) -> Settings:
    """Return one more user, who may chat and nothing else."""
    return Settings(composed=with_more_users([draw_user(source, TIERS[0])]))


def small_limits(source: random.Random) -> Settings:
    """Return limits that a few requests reach."""
    limits = zip(
        TIERS, (source.randrange(4, 7), source.randrange(11, 15), source.randrange(20, 25)), strict=True
    )
    return Settings(variables={"RATE_LIMITS": json.dumps({tier: f"{most}/minute" for tier, most in limits})})


def small_limits_and_users(source: random.Random) -> Settings:
    """Return such limits, and more users of each tier."""
    limits = small_limits(source)
    more = [draw_user(source, tier) for tier in TIERS for _ in range(TRIES - 1)]
    return Settings(variables=limits.variables, composed=with_more_users(more))


def limits_of(history: History) -> dict[str, int]:
    """Return the requests per minute of each tier that the service was given."""
    given = next(event.variables for event in history.of(Given) if "RATE_LIMITS" in event.variables)
    rates: dict[str, str] = json.loads(given["RATE_LIMITS"] or "{}")
    return {tier: int(rate.partition("/")[0]) for tier, rate in rates.items()}


async def call(
    lab: Lab,
    endpoint: str,
    *,
    label: str,
    token: str | None = None,
    headers: Mapping[str, str] | None = None,
    client: Client | None = None,
) -> Answer | Failure:
    """Send a right request to an endpoint, with these credentials and no others."""
    key = lab.key()
    method, path, body = _request(lab, endpoint, key)
    options: dict[str, Any] = {"label": label, "token": token, "headers": headers or {}}
    client = client or lab.client
    if body is None:
        return await client.request(method, path, **options)
    return await client.json(method, path, body, key=key, **options)


def _request(lab: Lab, endpoint: str, key: str) -> tuple[str, str, dict[str, Any] | None]:
    match endpoint:
        case "chat":
            return "POST", lab.ask_path, lab.ask_body(key)
        case "embeddings":
            return "POST", lab.endpoint("embeddings"), {"model": lab.model, "input": prompt(key)}
        case "new key":
            return "POST", lab.endpoint("keys"), {"name": f"key {key}"}
        case _:
            return "GET", lab.endpoint(endpoint), None
