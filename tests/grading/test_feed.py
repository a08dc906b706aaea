"""Verdicts that are told while a run goes on. The runs here end their experiments when the test says so."""

import asyncio
import os
import re
from collections.abc import Callable, Sequence
from typing import Self

import pytest

from chaos.history import HarnessFault, History, Skipped
from grading import judge, reading
from grading.feed import Feed
from grading.report import ControlFailure
from grading.run import State
from lab.exercise import Criterion, Exercise
from lab.experiment import Experiment
from lab.lab import Lab
from lab.result import CriterionResult
from lab.scoring import Scoring
from lab.verdict import Verdict, failed, passed
from tests.grading.test_bounded import children
from tests.lab.story import Story

pytestmark = pytest.mark.medium

SCORING = Scoring(scheme="levels", functional=0.5, mentions={"passed": 60})


async def _nothing(lab: Lab) -> None:
    """Do nothing."""


SHORT = Experiment("short", _nothing, seconds=1)
LONG = Experiment("long", _nothing, seconds=30)


def _short(short: History) -> Verdict:
    return passed("short is well", short.events[-1])


def _long(long: History) -> Verdict:
    return passed("long is well", long.events[-1])


def _process(short: History) -> Verdict:
    return passed(f"judged by process {os.getpid()}", short.events[-1])


def _short_fails(short: History) -> Verdict:
    return failed("better", "this", short.events[-1])


def _whole(short: History, run: tuple[History, ...]) -> Verdict:
    return passed(f"{len(run)} histories", short.events[-1])


def _hangs(short: History) -> Verdict:
    return passed(str(re.match(r"(a+)+$", "a" * 64 + "b")), short.events[-1])


def criterion(
    number: str, check: Callable[..., Verdict], *experiments: Experiment, reads_run: bool = False
) -> Criterion:
    return Criterion(
        number, check.__name__, f"title of {number}", "Look again.", False, check, experiments,
        reads_run=reads_run,
    )  # fmt: skip


def exercise(*criteria: Criterion) -> Exercise:
    return Exercise(9, "Something", 20, core=False, criteria=criteria)


class Told:
    """A display that keeps what it is told, and lets a test wait for it."""

    shows_verdicts = True

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._changed = asyncio.Event()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def announce(self, text: str) -> None: ...

    def begin(self, exercises: Sequence[Exercise]) -> None: ...

    def update(self, experiment: Experiment, state: State) -> None: ...

    def tell(self, criterion: CriterionResult) -> None:
        self._add(f"{criterion.number} {criterion.status}")

    def tell_untried(self, criterion: CriterionResult) -> None:
        self._add(f"{criterion.number} untried")

    def postpone(self, criterion: CriterionResult) -> None:
        self._add(f"{criterion.number} postponed")

    def explain(self, failure: ControlFailure) -> None:
        self._add(failure.reason)

    def _add(self, line: str) -> None:
        self.lines.append(line)
        self._changed.set()

    async def until(self, line: str) -> None:
        while line not in self.lines:
            self._changed.clear()
            await self._changed.wait()


def conclude(feed: Feed, one: Exercise, histories: dict[str, History], *, is_final: bool = True) -> None:
    results, failure = reading.results([one], histories, SCORING, feed.judged)
    feed.conclude(results, failure, is_final=is_final)


async def test_a_verdict_is_told_before_the_run_is_over() -> None:
    told = Told()
    one = exercise(criterion("9.1", _long, LONG), criterion("9.2", _short, SHORT))
    feed = Feed([one], told)

    async def run() -> dict[str, History]:
        short, long = Story("short").end(), Story("long").end()
        feed.finish(SHORT, short)
        await told.until("9.2 passed")
        feed.finish(LONG, long)
        await told.until("9.1 passed")
        return {"short": short, "long": long}

    histories = await asyncio.wait_for(feed.follow(run(), [SHORT, LONG]), 60)
    conclude(feed, one, histories)

    assert told.lines == ["9.2 passed", "9.1 passed"]


async def test_a_verdict_that_was_told_is_the_one_of_the_report() -> None:
    told = Told()
    one = exercise(criterion("9.1", _long, LONG), criterion("9.2", _process, SHORT))
    feed = Feed([one], told)
    short, long = Story("short").end(), Story("long").end()

    async def run() -> dict[str, History]:
        feed.finish(SHORT, short)
        await told.until("9.2 passed")
        return {"short": short, "long": long}

    histories = await asyncio.wait_for(feed.follow(run(), [SHORT, LONG]), 60)
    [result], _ = reading.results([one], histories, SCORING, feed.judged)

    assert result.criteria[1] == feed.judged["9.2"]


async def test_a_verdict_does_not_outlive_its_history() -> None:
    told = Told()
    one = exercise(criterion("9.1", _long, LONG), criterion("9.2", _short, SHORT))
    feed = Feed([one], told)

    async def first() -> dict[str, History]:
        feed.finish(SHORT, Story("short").end())
        feed.finish(LONG, Story("long").end())
        await told.until("9.1 passed")
        return {}

    async def second() -> dict[str, History]:
        return {}

    await asyncio.wait_for(feed.follow(first(), [SHORT, LONG]), 60)
    assert feed.judged.keys() == {"9.1", "9.2"}
    await asyncio.wait_for(feed.follow(second(), [LONG]), 60)

    assert feed.judged.keys() == {"9.2"}


async def test_a_criterion_that_reads_the_run_is_judged_when_all_of_it_is_there() -> None:
    told = Told()
    one = exercise(criterion("9.1", _whole, SHORT, reads_run=True), criterion("9.2", _short, SHORT))
    feed = Feed([one], told)
    short, long = Story("short").end(), Story("long").end()

    async def run() -> dict[str, History]:
        feed.finish(SHORT, short)
        await told.until("9.2 passed")
        feed.finish(LONG, long)
        return {"short": short, "long": long}

    conclude(feed, one, await feed.follow(run(), [SHORT, LONG]))

    assert told.lines == ["9.2 passed", "9.1 passed"]


def test_what_was_skipped_waits_for_the_history_that_says_why() -> None:
    skipped = Story("short", started=False)
    skipped.add(Skipped(experiment="long"))
    one = criterion("9.1", _short, SHORT)

    assert not judge.is_ready(one, {"short": skipped.end()}, {"long"})
    assert judge.is_ready(one, {"short": skipped.end(), "long": Story("long").end()}, set())


async def test_what_the_lab_has_left_open_is_put_off_and_told_after_the_second_run() -> None:
    told = Told()
    one = exercise(criterion("9.1", _short, SHORT), criterion("9.2", _long, LONG))
    feed = Feed([one], told)
    broken = Story("short")
    broken.add(HarnessFault(reason="a part is gone"))

    async def first() -> dict[str, History]:
        feed.finish(SHORT, broken.end())
        await told.until("9.1 postponed")
        return {"short": broken.end(), "long": Story("long").end()}

    histories = await feed.follow(first(), [SHORT, LONG])
    conclude(feed, one, histories, is_final=False)
    assert told.lines == ["9.1 postponed", "9.2 passed"]

    async def second() -> dict[str, History]:
        short = Story("short").end()
        feed.finish(SHORT, short)
        await told.until("9.1 passed")
        return {"short": short}

    histories |= await feed.follow(second(), [SHORT])
    conclude(feed, one, histories)
    assert told.lines == ["9.1 postponed", "9.2 passed", "9.1 passed"]


async def test_what_stays_open_is_told_at_the_end() -> None:
    told = Told()
    one = exercise(criterion("9.1", _short, SHORT))
    feed = Feed([one], told)
    broken = Story("short")
    broken.add(HarnessFault(reason="a part is gone"))

    async def run() -> dict[str, History]:
        return {"short": broken.end()}

    conclude(feed, one, await feed.follow(run(), [SHORT]))

    assert told.lines == ["9.1 postponed", "9.1 not judged"]


async def test_a_second_run_tells_what_it_has_changed() -> None:
    told = Told()
    one = exercise(criterion("9.1", _both_in_time, SHORT, LONG), criterion("9.2", _short, SHORT))
    feed = Feed([one], told)
    slow = Story("short")
    slow.now = 50.0

    async def first() -> dict[str, History]:
        return {"short": slow.end(), "long": Story("long").end()}

    async def second() -> dict[str, History]:
        return {"short": Story("short").end()}

    histories = await feed.follow(first(), [SHORT, LONG])
    conclude(feed, one, histories, is_final=False)
    conclude(feed, one, histories | await feed.follow(second(), [SHORT]))

    assert told.lines == ["9.1 failed", "9.2 passed", "9.1 passed"]


def _both_in_time(short: History, long: History) -> Verdict:
    end = short.events[-1]
    return passed("in time", end) if end.t < 10 else failed("within 10 s", f"{end.t:.0f} s", end)


async def test_a_check_that_hangs_holds_nothing_up() -> None:
    told = Told()
    feed = Feed([exercise(criterion("9.1", _hangs, SHORT))], told)
    short = Story("short").end()

    async def run() -> dict[str, History]:
        feed.finish(SHORT, short)
        for _ in range(100):
            await asyncio.sleep(0)
        return {"short": short}

    before = children()
    assert await asyncio.wait_for(feed.follow(run(), [SHORT]), 30) == {"short": short}
    assert told.lines == []
    assert children() <= before


async def test_a_check_over_its_bounds_is_left_to_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "JUDGE_SECONDS", 1)
    monkeypatch.setattr(reading, "CRITERION_SECONDS", 1)
    told = Told()
    one = exercise(criterion("9.1", _hangs, SHORT), criterion("9.2", _long, LONG))
    feed = Feed([one], told)
    short, long = Story("short").end(), Story("long").end()

    async def run() -> dict[str, History]:
        feed.finish(SHORT, short)
        await asyncio.sleep(0)
        feed.finish(LONG, long)
        await told.until("9.2 passed")
        return {"short": short, "long": long}

    conclude(feed, one, await asyncio.wait_for(feed.follow(run(), [SHORT, LONG]), 60))

    assert told.lines == ["9.2 passed", "9.1 failed"]


async def test_the_first_failure_ends_the_run_after_its_teardown() -> None:
    told = Told()
    feed = Feed(
        [exercise(criterion("9.1", _short_fails, SHORT), criterion("9.2", _long, LONG))], told, fail_fast=True
    )
    short = Story("short").end()
    torn_down = False

    async def run() -> dict[str, History]:
        nonlocal torn_down
        feed.finish(SHORT, short)
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            torn_down = True
        return {}

    histories = await asyncio.wait_for(feed.follow(run(), [SHORT, LONG]), 60)

    assert torn_down
    assert histories == {"short": short}
    assert feed.stops
    assert feed.told == {"9.1"}


async def test_an_error_of_the_run_is_raised() -> None:
    feed = Feed([exercise(criterion("9.1", _short, SHORT))], Told())

    async def run() -> dict[str, History]:
        raise OSError("no room")

    with pytest.raises(OSError, match="no room"):
        await feed.follow(run(), [SHORT])


async def test_a_service_that_does_not_start_is_explained_once() -> None:
    told = Told()
    one = exercise(criterion("9.1", _short, SHORT), criterion("9.2", _short_fails, SHORT))
    feed = Feed([one], told)
    short = Story("short", started=False)
    short.crash(3, "no key")

    async def run() -> dict[str, History]:
        feed.finish(SHORT, short.end())
        await told.until("9.2 untried")
        return {"short": short.end()}

    conclude(feed, one, await feed.follow(run(), [SHORT]))

    assert told.lines == ["it exited with code 3 before it answered", "9.1 untried", "9.2 untried"]
