"""Asks for readiness until it shows what is down, and for liveness meanwhile."""

import asyncio
from collections.abc import Collection

from chaos.history import Answer, Began, Failure, Tried, Upstream
from exercises.exam.ex5_health_checks.axes import (
    ASKING,
    BROKEN,
    CROWD,
    CROWDS,
    HANGING,
    HOW_MANY,
    MEANWHILE,
    PACES,
    STATES,
    WHICH,
)
from exercises.exam.ex5_health_checks.plan import Failures, Plan, Step
from exercises.exam.ex5_health_checks.readiness import (
    CROWD_LABEL,
    DEPENDENCIES,
    NAMES,
    OTHERWISE_LABEL,
    RESTED_LABEL,
    SEEN_SECONDS,
    shows,
)
from lab.axes import Axis
from lab.flags import Known, Reader
from lab.lab import Lab

LATER_SECONDS = 10.0
"""After one change that did not show in time, others like it have no more than this: the verdict is known."""
STEPS_SECONDS = 42.0
"""Steps that can wait are left out where an experiment would take longer with them: reports are kept for long here."""
READINESS_PATIENCE = 15.0
LIVENESS_PATIENCE = 5.0
POLL_SECONDS = 1.0
SAMPLE_SECONDS = 0.2
MOST_SAMPLES = 15
STILL_SAMPLES = 3
AT_ONCE = 6
MANY_AT_ONCE = 20
ALONE = 10
"""Liveness is asked so often one by one, and so often at once, while nobody asks anything else."""

ALIVE = "liveness"
ALIVE_ALONE = "liveness alone"
_MOST = tuple(HOW_MANY.values)


class Watch:
    """Takes one service through states of its dependencies, and waits for each to show in its reports."""

    def __init__(self, lab: Lab) -> None:
        began = lab.history.first(Began)
        self.plan = Plan(began.seed if began else 0)
        self._lab = lab
        self._known: list[Known] = []
        self._down: Failures = {}
        self._patience = {True: SEEN_SECONDS, False: SEEN_SECONDS}  # by whether all that is down hangs
        self._there = True
        self._started = lab.recorder.now()
        self._slowest = 0.0

    def tried(self, axis: Axis[object], value: str) -> None:
        """Record that what comes next tries a value of an axis."""
        self._lab.recorder.record(Tried(axis=axis.name, value=value))

    async def all_up(self, label: str, *, callers: int = AT_ONCE) -> bool:
        """End all faults, and wait until the reports say so."""
        await self._apply({})
        if await self._until_shown(label, callers=callers, seconds=SEEN_SECONDS if self._there else 0.0):
            return True
        self._patience = dict.fromkeys(self._patience, LATER_SECONDS)
        return False

    async def step(self, step: Step, *, still: int = 0) -> bool:
        """Have the dependencies fail as a step says, and wait until the reports say so; whether there was time for it.

        `still` is how many changes must have their time after it.
        """
        began = self._lab.recorder.now()
        if step.can_wait and not has_time(began - self._started, self._slowest, 1 + still):
            return False
        await self._apply(step.down)
        hangs = self._hangs(step.down)
        label = "down: " + ", ".join(f"{upstream} {kind}" for upstream, kind in step.down.items())
        seconds = self._patience[hangs] if self._there else 0.0
        shown = await self._until_shown(label, callers=AT_ONCE, seconds=seconds, hangs=hangs)
        if not shown:
            self._patience[hangs] = LATER_SECONDS
        self._slowest = max(self._slowest, self._lab.recorder.now() - began)
        await self._sample()
        return True

    async def rest(self, step: Step, *, seconds: float) -> bool:
        """Have nobody ask for so long after the dependencies fail as a step says; whether the next report shows it."""
        self.tried(PACES, "after a rest")
        await self._apply(step.down)
        await asyncio.sleep(seconds)
        [end] = await self._look(f"{RESTED_LABEL}: {', '.join(step.down)}", 1)
        return self._shows(end, tuple(self._down))

    async def heal(self) -> None:
        """End all faults."""
        await self._apply({})

    async def ask_otherwise(self, state: str) -> None:
        """Ask for the report in other ways than the usual one; `state` is what it reports."""
        self.tried(STATES, state)
        for _, way in self._lab.vary(ASKING):
            await self._lab.get(
                self._lab.endpoint("readiness") + way.query,
                label=OTHERWISE_LABEL,
                headers=way.headers,
                token=self._lab.token if way.known else None,
                timeout=READINESS_PATIENCE,
            )

    async def ask_liveness_alone(self) -> None:
        """Ask for liveness while nobody asks for readiness, so that what it asks of others can be told."""
        self.tried(MEANWHILE, "asked alone")
        for _ in range(ALONE):
            await self._alive(ALIVE_ALONE)
        await asyncio.gather(*(self._alive(ALIVE_ALONE) for _ in range(ALONE)))

    async def crowd(self, name: str) -> None:
        """Have a hundred ask at once, and ask for liveness meanwhile."""
        self.tried(CROWDS, name)
        self.tried(MEANWHILE, f"{CROWD} callers ask")
        callers = asyncio.gather(*(self._ask(f"{CROWD_LABEL}: {name}") for _ in range(CROWD)))
        await self._sampling(callers)

    async def _until_shown(self, label: str, *, callers: int, seconds: float, hangs: bool = False) -> bool:
        """Ask until one report, then `callers` at once, show what is down, never will, or time is up; whether they did.

        Where all that is down hangs, one question without an answer decides.
        """
        self.tried(PACES, "again and again")
        down = tuple(self._down)
        started = self._lab.recorder.now()
        at_once = 1
        while True:
            late = self._lab.recorder.now() - started >= seconds
            ends = await self._look(label, at_once)
            shown = all(self._shows(end, down) for end in ends)
            if shown and at_once < callers:
                at_once = callers
                continue
            unanswered = hangs and any(isinstance(end, Failure) and end.error == "timeout" for end in ends)
            self._there = not any(map(_is_missing, ends))
            if late or shown or unanswered or not self._there or self._is_final(ends[0], down):
                break
            await asyncio.sleep(POLL_SECONDS)
        self._known += [Known(end.body, down) for end in ends[:1] if isinstance(end, Answer)]
        return shown

    def _shows(self, end: Answer | Failure, down: Collection[Upstream]) -> bool:
        return shows(end, down, self._reader(end, down))

    def _is_final(self, end: Answer | Failure, down: Collection[Upstream]) -> bool:
        """Whether a report says 200 in spite of its flags, or without naming every dependency: waiting mends neither."""
        if not isinstance(end, Answer) or end.status != 200:
            return False
        seen = self._reader(end, down).read(end.body)
        all_told = {upstream: upstream not in down for upstream in DEPENDENCIES}
        return None in seen.values() or (seen == all_told and bool(down))

    def _reader(self, end: Answer | Failure, down: Collection[Upstream]) -> Reader:
        """Return a reader that knows what was shown until now, and takes this report for one more."""
        latest = [Known(end.body, down)] if isinstance(end, Answer) else []
        return Reader.taught(NAMES, [*self._known, *latest])

    async def _look(self, label: str, callers: int) -> list[Answer | Failure]:
        """Have callers ask for readiness at once, and ask for liveness while that takes its time."""
        self.tried(MEANWHILE, "readiness is asked")
        asking = asyncio.gather(*(self._ask(label) for _ in range(callers)))
        await self._sampling(asking)
        # A rate limit says nothing of the dependencies.
        ends = asking.result()
        return [end for end in ends if not (isinstance(end, Answer) and end.status == 429)] or ends

    async def _sampling(self, asking: "asyncio.Future[list[Answer | Failure]]") -> None:
        samples: list[asyncio.Task[Answer | Failure]] = []
        while not (await asyncio.wait([asking], timeout=SAMPLE_SECONDS))[0]:
            if len(samples) < MOST_SAMPLES:
                samples.append(asyncio.create_task(self._alive()))
        await asyncio.gather(*samples)

    async def _sample(self) -> None:
        for _ in range(STILL_SAMPLES):
            await self._alive()

    async def _ask(self, label: str) -> Answer | Failure:
        lab = self._lab
        return await lab.get(
            lab.endpoint("readiness"), label=label, token=lab.token, timeout=READINESS_PATIENCE
        )

    async def _alive(self, label: str = ALIVE) -> Answer | Failure:
        return await self._lab.get(self._lab.endpoint("alive"), label=label, timeout=LIVENESS_PATIENCE)

    async def _apply(self, down: Failures) -> None:
        for upstream in self._down:
            await self._lab.upstreams.heal(upstream)
        for upstream, kind in down.items():
            axis = BROKEN if kind in BROKEN.values else HANGING
            self.tried(axis, kind)
            self.tried(WHICH, upstream)
            await axis.values[kind](self._lab.upstreams, upstream)
        if down:
            self.tried(HOW_MANY, _MOST[len(down) - 1])
        self._down = down

    @staticmethod
    def _hangs(down: Failures) -> bool:
        return bool(down) and all(kind in HANGING.values for kind in down.values())


def has_time(taken: float, slowest: float, changes: int) -> bool:
    """Whether there is time for so many changes, should each take as long to show as the slowest until now."""
    return taken + changes * slowest <= STEPS_SECONDS


def _is_missing(end: Answer | Failure) -> bool:
    return isinstance(end, Answer) and end.status in {404, 405}
