"""The experiments of exercise 3."""

from exercises.chat.limit import try_limit
from lab.experiment import experiment
from lab.lab import Lab

__all__ = ["limit", "sources"]

ALLOWED = 10


@experiment(seconds=6)
async def limit(lab: Lab) -> None:
    """Ask more often than is allowed: one after the other, with forged headers, and at once."""
    lab.phase("fault")
    await try_limit(lab, ALLOWED)


@experiment(seconds=1, needs="nothing")
async def sources(lab: Lab) -> None:
    """Read the service's code and what it depends on."""
    lab.record_files("src/**/*.py", "src/*.py", "*.py", "pyproject.toml")
