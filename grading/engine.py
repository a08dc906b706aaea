"""Runs experiments side by side, each on a service instance of its own, and returns their histories."""

import asyncio
import contextlib
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Literal

from chaos import stall
from chaos.history import Began, Ended, HarnessFault, History, Ready, Skipped
from chaos.recorder import Recorder
from chaos.toxiproxy import ToxiproxyError
from grading.errors import GradingError
from grading.runtime import Runtime
from grading.workspace import check_room
from lab.experiment import Experiment
from lab.lab import Lab

SIDE_BY_SIDE = 16
AGAIN_SIDE_BY_SIDE = 4
"""Fewer, for what is run again was disturbed by a machine that had too much to do."""
START_FAILURES = 2
"""After so many failed starts and no successful one, the service is not started again."""

State = Literal["waiting", "starting", "running", "done", "broken"]
Observer = Callable[[Experiment, State], None]


@dataclass(slots=True)
class Bench:
    """What the experiments of one run share.

    Starts are bounded by the processors, for they are what a start waits for.
    """

    runtime: Runtime
    seed: int
    observer: Observer
    starts: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(max(2, os.cpu_count() or 1)))
    places: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(SIDE_BY_SIDE))
    started: int = 0
    failed_starts: list[str] = field(default_factory=list)

    def note_start(self, experiment: Experiment, *, up: bool) -> None:
        """Remember whether the service came up for an experiment."""
        if up:
            self.started += 1
        else:
            self.failed_starts.append(experiment.name)

    @property
    def hopeless(self) -> bool:
        """Whether the service has shown that it does not start."""
        return not self.started and len(self.failed_starts) >= START_FAILURES


async def conduct_again(experiments: Iterable[Experiment], bench: Bench) -> dict[str, History]:
    """Run experiments once more, on new instances and with less going on beside them."""
    again = Bench(bench.runtime, bench.seed, bench.observer, places=asyncio.Semaphore(AGAIN_SIDE_BY_SIDE))
    return await conduct(experiments, again)


async def conduct(experiments: Iterable[Experiment], bench: Bench) -> dict[str, History]:
    """Run all experiments, those with the longest waits first; returns the history of each by its name."""
    ordered = sorted(experiments, key=lambda experiment: -experiment.seconds)
    for experiment in ordered:
        bench.observer(experiment, "waiting")
    async with asyncio.TaskGroup() as group:
        tasks = {one.name: group.create_task(_conduct_one(one, bench)) for one in ordered}
    return {name: task.result() for name, task in tasks.items()}


async def _conduct_one(experiment: Experiment, bench: Bench) -> History:
    async with bench.places:
        recorder = Recorder()
        recorder.record(Began(experiment=experiment.name, seed=bench.seed))
        watcher = asyncio.create_task(stall.watch(recorder))
        try:
            await _run(experiment, bench, recorder)
            recorder.record(Ended())
        except Exception as error:  # noqa: BLE001 - whatever the lab trips over must not cost the submission
            recorder.record(HarnessFault(reason=_reason(error)))
        finally:
            watcher.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watcher
    history = recorder.history()
    bench.observer(experiment, "broken" if history.of(HarnessFault) else "done")
    return history


async def _run(experiment: Experiment, bench: Bench, recorder: Recorder) -> None:
    async with contextlib.AsyncExitStack() as stack:
        async with bench.starts:
            if bench.hopeless:
                recorder.record(Skipped(experiment=bench.failed_starts[0]))
                return
            bench.observer(experiment, "starting")
            program = await asyncio.to_thread(bench.runtime.program, experiment.name)
            lab = Lab(
                experiment.name,
                seed=bench.seed,
                program=program,
                toxiproxy=bench.runtime.toxiproxy,
                recorder=recorder,
                starts=bench.starts,
                network=bench.runtime.network,
            )
            await stack.enter_async_context(lab)
            in_control = await lab.start() and await lab.control()
            bench.note_start(experiment, up=recorder.history().first(Ready) is not None)
        if in_control:
            bench.observer(experiment, "running")
            async with asyncio.timeout(experiment.limit):
                await experiment.run(lab)
        await lab.upstreams.check()
        check_room(program.root)


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "the experiment took longer than its limit"
    if isinstance(error, ToxiproxyError):
        return f"the fault proxy did not do as it was told, or is gone ({error})"
    if isinstance(error, GradingError):
        return error.message
    text = str(error) or type(error).__name__
    return f"{type(error).__name__}: {text}" if text != type(error).__name__ else text
