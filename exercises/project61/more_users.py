"""Users beside those of the contract, for experiments that need more of them."""

import json
import random
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from chaos.contract import Contract
from chaos.history import Given, History

USERS = "BOOTSTRAP_USERS"

User = dict[str, Any]


def draw_user(source: random.Random, tier: str) -> User:
    """Return a new user of a tier who may chat."""
    return {
        "username": f"reader-{source.getrandbits(32):08x}",
        "password": f"{source.getrandbits(96):024x}",
        "tier": tier,
        "permissions": ["chat"],
    }


def with_more_users(more: Sequence[User]) -> dict[str, str]:
    """Return what `Settings.composed` has for the users of the contract and these."""
    named = contract().composed[USERS].strip().removesuffix("]").rstrip()
    return {USERS: f"{named},\n{json.dumps(list(more))[1:]}"}


def more_users(history: History) -> list[User]:
    """Return the users of an experiment who are not in the contract."""
    known = {user.name for user in history.contract.users.values()}
    given = next((event.variables[USERS] for event in history.of(Given) if USERS in event.variables), None)
    return [user for user in json.loads(given or "[]") if user["username"] not in known]


@cache
def contract() -> Contract:
    """Return the contract of Project 6.1."""
    return Contract.load(Path(__file__).parent / "contract.toml")
