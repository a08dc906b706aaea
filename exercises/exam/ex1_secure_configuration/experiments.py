"""The experiments of exercise 1: environments that are not to be accepted, and an intruder."""

import asyncio

from chaos.history import Launched, Ready
from exercises.exam.ex1_secure_configuration import axes, intruder, refusals
from lab.experiment import experiment
from lab.lab import Lab

__all__ = ["exposed", "repository"]


@experiment(seconds=12, needs="start")
async def exposed(lab: Lab) -> None:
    """An intruder tries forged tokens, foreign origins and odd requests; others start the service as it must not start."""
    history = lab.history.instance()
    launched, ready = history.of(Launched)[-1], history.of(Ready)[-1]
    lab.phase("fault")
    await asyncio.gather(intruder.intrude(lab), refusals.attempt_all(lab, usual=ready.t - launched.t))


@experiment(seconds=1, needs="nothing")
async def repository(lab: Lab) -> None:
    """Read the files that tell others how to configure the service."""
    lab.record_files(*(pattern for pattern, _ in lab.vary(axes.FILES)))
