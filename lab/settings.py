"""What one experiment's service is given on top of its contract."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Settings:
    """What an experiment's service is given on top of its contract.

    `variables` are added to its environment, where None takes one away. In those that are `composed`, `$name` is the
    contract's secret of that name. `env_file` are the lines of a `.env` in the folder that it is started in.
    """

    variables: Mapping[str, str | None] = field(default_factory=dict)
    composed: Mapping[str, str] = field(default_factory=dict)
    env_file: Mapping[str, str] = field(default_factory=dict)


Draw = Callable[[random.Random], Settings]
"""Draws an experiment's settings from the seed of its run."""


def no_settings(_source: random.Random) -> Settings:
    """Return no settings: the service has what the contract says."""
    return Settings()
