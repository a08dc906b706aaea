"""Runs experiments side by side, each on a service instance of its own, and returns their histories."""

import asyncio
import contextlib
import gc
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Literal

from chaos import stall
from chaos.containers.engine import EngineError
from chaos.contract import Contract
from chaos.history import Began, Ended, HarnessFault, History, Launched, Overran, Skipped
from chaos.postgres import PostgresError, PostgresServer
from chaos.recorder import Recorder
from chaos.toxiproxy import ToxiproxyError
from grading.errors import GradingError, MachineError, SubmissionError
from grading.runtime import Runtime
from grading.starts import Starts
from grading.workspace import check_room
from lab import control
from lab.control import NEEDS, Need
from lab.experiment import Experiment
from lab.lab import CONTROL_TRIES, Lab

_PARTS_OF_LAB = (OSError, EngineError, ToxiproxyError)
"""What the fault proxy, the stand-ins, the network and the engine fail with."""
EXPOSED = "a service that runs as a process can do that, and --runtime sandbox would tell"
FEW_AGAIN = 6
QUICK_SECONDS = 2.0
"""For an experiment without a service that keeps nothing waiting."""
LONG_BEFORE_SHORT = 3
START_FAILURES = 2
"""Failed starts, without a successful one, after which the service is not started again."""
CONTROL_FAILURES = 3
"""Instances whose control phase failed the same way, with none where it held, after which no other is tried."""

State = Literal["waiting", "starting", "running", "done", "broken"]
Observer = Callable[[Experiment, State], None]
Finished = Callable[[Experiment, History], None]


def make_clock() -> Callable[[], float]:
    """Return a function that returns the seconds since now."""
    start = time.monotonic()
    return lambda: time.monotonic() - start


@dataclass(slots=True)
class Run:
    """What the experiments of one run share."""

    runtime: Runtime
    contract: Contract
    seed: int
    observer: Observer
    finished: Finished = lambda _experiment, _history: None
    elapsed: Callable[[], float] = field(default_factory=make_clock)
    """Seconds since the grading began."""
    postgres: PostgresServer = field(default_factory=PostgresServer)
    starts: AbstractAsyncContextManager[object] = field(default_factory=Starts)
    side_by_side: int | None = None
    """Experiments at once; None for as many as the runtime bears."""
    places: asyncio.Semaphore = field(init=False)
    furthest: Need = "nothing"
    failures: dict[str, list[str]] = field(default_factory=dict)
    attempt: int = 1
    launched: bool = False
    """Whether any service has been started: from then on an exposed runtime may be broken by it."""

    def __post_init__(self) -> None:
        self.places = asyncio.Semaphore(self.side_by_side or self.runtime.side_by_side)

    def note(self, experiment: Experiment, history: History) -> None:
        """Remember how far the control phase came in an experiment, and how it failed."""
        reached = control.reached(history)
        self.furthest = max(self.furthest, reached, key=NEEDS.index)
        if problem := control.problem(history):
            # Exit codes and the like may differ; a start that fails is one kind of failure.
            kind = problem.actual if reached != "nothing" else "start"
            self.failures.setdefault(kind, []).append(experiment.name)

    def hopeless(self, need: Need) -> str | None:
        """Return the experiment that has shown that a need is never met; None where it may be."""
        if NEEDS.index(self.furthest) >= NEEDS.index(need):
            return None
        for kind, names in self.failures.items():
            if len(names) >= (START_FAILURES if kind == "start" else CONTROL_FAILURES):
                return names[0]
        return None

    def has_failed(self, need: Need) -> str | None:
        """Return the experiment that has shown, with none to show otherwise, that more fails than `need` asks for.

        Whoever needs no more than the start leaves the service alone then: a login that hangs may block all of it.
        """
        if need != "start" or self.furthest == NEEDS[-1]:
            return None
        return next((names[0] for kind, names in self.failures.items() if kind != "start"), None)

    @property
    def control_tries(self) -> int:
        """How often the control phase is tried in one instance: once only where it has failed before and never held."""
        return 1 if self.failures and self.furthest != NEEDS[-1] else CONTROL_TRIES


async def run_again(experiments: Iterable[Experiment], run: Run) -> dict[str, History]:
    """Run experiments once more, on new instances and with less going on beside them."""
    kept = tuple(experiments)
    again = Run(
        run.runtime,
        run.contract,
        run.seed,
        run.observer,
        run.finished,
        run.elapsed,
        side_by_side=again_side_by_side(len(kept)),
        attempt=run.attempt + 1,
    )
    return await run_all(kept, again)


def again_side_by_side(experiments: int) -> int:
    """Return how many of so many experiments run at once the second time, since the machine was too busy the first time.

    Two leave each other a processor while they start. With many experiments that would take too long.
    """
    return 2 if experiments <= FEW_AGAIN else 4


async def run_all(experiments: Iterable[Experiment], run: Run) -> dict[str, History]:
    """Run all experiments, in the order of `in_turn`; returns the history of each by its name."""
    # What was recorded is frozen below, so what earlier runs of this process have left is only collected here.
    gc.unfreeze()
    gc.collect()
    gc.freeze()
    ordered = in_turn(experiments)
    for experiment in ordered:
        run.observer(experiment, "waiting")
    async with contextlib.aclosing(run.postgres), asyncio.TaskGroup() as group:
        tasks = {one.name: group.create_task(_run_one(one, run)) for one in ordered}
    return {name: task.result() for name, task in tasks.items()}


def in_turn(experiments: Iterable[Experiment]) -> list[Experiment]:
    """Return experiments in the order in which they start.

    Those that only read files come first: the first verdicts are theirs. Long waits start early so that they overlap,
    with a short one after every few of them, so that there are more verdicts before the long waits are over.
    """
    ordered = sorted(experiments, key=lambda one: one.seconds)
    found = [one for one in ordered if one.needs == "nothing" and one.seconds <= QUICK_SECONDS]
    left = [one for one in ordered if one not in found]
    while left:
        found += [left.pop() for _ in range(min(LONG_BEFORE_SHORT, len(left)))]
        found += [left.pop(0)] if left else []
    return found


async def _run_one(experiment: Experiment, run: Run) -> History:
    async with run.places:
        recorder = Recorder()
        began = Began(
            experiment=experiment.name,
            seed=run.seed,
            contract=run.contract,
            attempt=run.attempt,
            after=round(run.elapsed(), 6),
        )
        recorder.record(began)
        watcher = asyncio.create_task(stall.watch(recorder))
        try:
            await _experiment(experiment, run, recorder)
            recorder.record(Ended())
        except Exception as error:  # noqa: BLE001 - whatever the lab trips over must not cost the submission
            recorder.record(_fault(error, experiment, recorder.history(), run))
        finally:
            watcher.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watcher
    history = recorder.history()
    gc.freeze()  # what is recorded stays to the end: to visit it would stop all that is being timed for tenths of a second
    run.observer(experiment, "broken" if history.of(HarnessFault) else "done")
    run.finished(experiment, history)
    return history


async def _experiment(experiment: Experiment, run: Run, recorder: Recorder) -> None:
    if experiment.needs == "nothing":
        run.observer(experiment, "running")
        await experiment.run(await _lab(experiment, run, recorder))
        return
    async with contextlib.AsyncExitStack() as stack:
        async with run.starts:
            if failed := run.hopeless(experiment.needs):
                recorder.record(Skipped(experiment=failed))
                return
            run.observer(experiment, "starting")
            lab = await stack.enter_async_context(await _lab(experiment, run, recorder))
            check_room(run.runtime.folder)
            run.launched = True
            if failed := run.has_failed(experiment.needs):
                recorder.record(Skipped(experiment=failed))
                in_control = await lab.start()
            else:
                in_control = await lab.prepare(experiment.needs, tries=run.control_tries)
                run.note(experiment, recorder.history())
        if in_control:
            run.observer(experiment, "running")
            await _within_limit(experiment, lab)
        await lab.upstreams.check()
        check_room(run.runtime.folder)


async def _within_limit(experiment: Experiment, lab: Lab) -> None:
    """Run an experiment, or give it up after its limit. Its own waits are bounded: what takes so long is the service."""
    try:
        async with asyncio.timeout(experiment.limit) as limit:
            await experiment.run(lab)
    except TimeoutError:
        if not limit.expired():
            raise
        lab.recorder.record(Overran(limit=experiment.limit))


async def _lab(experiment: Experiment, run: Run, recorder: Recorder) -> Lab:
    return Lab(
        experiment.name,
        seed=run.seed,
        contract=run.contract,
        program=await asyncio.to_thread(run.runtime.program),
        toxiproxy=run.runtime.toxiproxy,
        recorder=recorder,
        starts=run.starts,
        postgres=run.postgres,
        copies=run.runtime.program,
        network=run.runtime.network,
        settings=experiment.settings,
    )


def _fault(error: Exception, experiment: Experiment, history: History, run: Run) -> HarnessFault:
    """Return what an error in an experiment is on the record.

    A submission can have caused it by its files, by what its service sent or, in an exposed runtime, by breaking a part
    of the lab itself.
    """
    reason = _reason(error)
    if isinstance(error, SubmissionError):
        return HarnessFault(reason=reason, reachable=True)
    if isinstance(error, MachineError):
        return HarnessFault(reason=reason)
    if isinstance(error, PostgresError):
        return HarnessFault(reason=reason, reachable=run.launched)
    if isinstance(error, _PARTS_OF_LAB) and not isinstance(error, TimeoutError):
        reachable = run.runtime.exposed and run.launched
        return HarnessFault(reason=f"{reason}; {EXPOSED}" if reachable else reason, reachable=reachable)
    return HarnessFault(reason=reason, reachable=experiment.needs == "nothing" or bool(history.of(Launched)))


def _reason(error: Exception) -> str:
    if isinstance(error, ToxiproxyError):
        return f"the fault proxy did not do as it was told, or is gone ({error})"
    if isinstance(error, GradingError):
        return error.message
    text = str(error) or type(error).__name__
    return f"{type(error).__name__}: {text}" if text != type(error).__name__ else text
