"""The experiments of exercise 3."""

import asyncio

from lab.experiment import experiment
from lab.lab import Lab

__all__ = ["limit", "sources"]

ALLOWED = 10
BEYOND = 3
CROWD = 20
PATIENCE = 30.0
FORGED = (
    {"x-forwarded-for": "203.0.113.9"},
    {"forwarded": "for=203.0.113.9"},
    {"x-real-ip": "203.0.113.9"},
    {"x-forwarded-for": "203.0.113.10, 203.0.113.11", "x-client-ip": "203.0.113.12"},
)


@experiment(seconds=6)
async def limit(lab: Lab) -> None:
    """Ask more often than is allowed: one after the other, with forged headers, and at once."""
    first, other, crowd = (lab.client.next_source() for _ in range(3))
    lab.phase("fault")
    for position in range(ALLOWED + BEYOND):
        label = "allowed" if position < ALLOWED else "beyond"
        await lab.generate(label=label, source=first, timeout=PATIENCE)
    for headers in FORGED:
        await lab.generate(label="forged", source=first, headers=headers, timeout=PATIENCE)
    for _ in range(3):
        await lab.generate(label="another address", source=other, timeout=PATIENCE)
        await lab.get(lab.endpoint("health"), label="health", source=first, timeout=PATIENCE)
    await asyncio.gather(
        *(lab.generate(label="at once", source=crowd, timeout=PATIENCE) for _ in range(CROWD))
    )


@experiment(seconds=1, needs="nothing")
async def sources(lab: Lab) -> None:
    """Read the service's code and what it depends on."""
    lab.record_files("src/**/*.py", "src/*.py", "*.py", "pyproject.toml")
