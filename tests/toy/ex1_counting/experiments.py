"""The experiments: what is done to the service while everything is recorded."""

import asyncio

from lab.experiment import experiment
from lab.lab import Lab

__all__ = ["outage", "readme"]

CALLERS = 5


@experiment(seconds=1, needs="nothing")
async def readme(lab: Lab) -> None:
    """Read what tells others how to deploy the service."""
    lab.record_files("README.md")


@experiment(seconds=3, needs="start")
async def outage(lab: Lab) -> None:
    """Callers count one after the other and at once; then the store is gone for a while."""
    for _ in range(CALLERS):
        await _count(lab, "before")
    await asyncio.gather(*(_count(lab, "at once") for _ in range(CALLERS)))
    lab.phase("fault")
    await lab.upstreams.outage("store")
    for _ in range(CALLERS):
        await _count(lab, "without the store")
    lab.phase("recovery")
    await lab.upstreams.heal("store")
    await _count(lab, "after")


async def _count(lab: Lab, label: str) -> None:
    await lab.client.request("POST", lab.endpoint("count"), label=label, timeout=60)
