"""The service for tests of tiers: whoever calls names a tier as the bearer token, and is that tier's only user."""

from typing import Annotated

from fastapi import Header

from api.config.app import create_app
from api.config.env_validator import load_settings
from api.config.logging_config import configure_logging
from api.routers.dependencies import get_caller
from api.services.callers import Caller, Permission, Tier


def caller_of_tier(authorization: Annotated[str, Header()]) -> Caller:
    tier = Tier(authorization.removeprefix("Bearer "))
    return Caller(user=f"{tier} user", tier=tier, permissions=frozenset(Permission))


configure_logging()
app = create_app(load_settings())
app.dependency_overrides[get_caller] = caller_of_tier
