"""Refusing to start: every problem with the environment at once, by the variable's name and never by its value."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import structlog
from pydantic import ValidationError

from api.config.settings import Settings

EXIT_STATUS = 78  # EX_CONFIG of sysexits.h
SECRETS = Path("/run/secrets")
"""Where a container finds secrets that its environment does not hold: a file for each, by the variable's name."""

log = structlog.get_logger("api.config")


def load_settings(secrets: Path = SECRETS, **overrides: Any) -> Settings:
    """The settings, or the end of the process, with one log record that names every variable at fault."""
    if secrets.is_dir():
        overrides["_secrets_dir"] = secrets
    try:
        return Settings(**overrides)
    except ValidationError as error:
        problems = dict(describe(error))
        log.critical("refusing to start", problems=problems)
        sys.exit(EXIT_STATUS)


def describe(error: ValidationError) -> Iterator[tuple[str, str]]:
    """Pairs of a variable's name and what is wrong with it; the value itself is never part of it."""
    for problem in error.errors(include_url=False, include_context=False, include_input=False):
        loc = problem["loc"]
        name = str(loc[0]).upper() if loc else "environment"
        within = f"entry {loc[1] + 1}: " if len(loc) > 1 and isinstance(loc[1], int) else ""
        if len(loc) > 2:
            within = f"{within}{loc[2]} "
        match problem["type"]:
            case "missing":
                yield name, within + "is required and not set"
            case "value_error":
                yield name, within + problem["msg"].removeprefix("Value error, ")
            case _:
                yield name, within + problem["msg"][:1].lower() + problem["msg"][1:]
