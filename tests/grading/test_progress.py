"""What a run shows of itself, in a pipe and on a terminal."""

import re
from io import StringIO

import pytest
from rich.console import Console

from grading.progress import LiveTable, PlainLines, Progress, progress
from grading.report import ControlFailure
from lab.exercise import Criterion, Exercise
from lab.experiment import Experiment
from lab.lab import Lab
from lab.result import CriterionResult, Moment
from lab.verdict import Status, passed


async def _nothing(lab: Lab) -> None:
    """Do nothing."""


HANG = Experiment("hang", _nothing, seconds=20)
EXERCISE = Exercise(
    3,
    "Limits",
    15,
    core=False,
    criteria=tuple(
        Criterion(f"3.{place}", "a", "a title", "", False, lambda: passed(""), (HANG,)) for place in (1, 2)
    ),
)


def result(status: Status = "failed", number: str = "3.1") -> CriterionResult:
    return CriterionResult(
        number=number,
        name="bounded",
        title="answers come in time",
        essential=True,
        points=1,
        status=status,
        expected="504 within 31 s",
        actual="no answer \x1b[31mwithin 40 s",
        blame=None if status == "passed" else "submission",
        moments=(Moment(experiment="hang", event=7, t=41.5, text="GET /slow -> no answer"),),
        hint="Bound the call." if status == "failed" else "",
    )


def told(display: Progress, out: StringIO) -> str:
    with display:
        display.begin([EXERCISE])
        display.announce("running the experiments")
        display.update(HANG, "running")
        display.tell(result())
        display.tell(result("passed", "3.2"))
    return out.getvalue()


def test_in_a_pipe_each_change_is_a_line_with_its_second() -> None:
    out = StringIO()

    text = told(progress(Console(file=out, width=120)), out)

    assert re.search(r"^\[ *\d+\.\d s\] running the experiments$", text, re.MULTILINE)
    assert re.search(
        r"^\[ *\d+\.\d s\] exercise 3: running 'hang', 0 of 1 experiments done;"
        r" 0 of 2 criteria judged, about \d+ s left$",
        text,
        re.MULTILINE,
    )


@pytest.mark.parametrize("kind", [PlainLines, LiveTable])
def test_a_failure_comes_with_its_reasons_and_a_pass_with_its_title(
    kind: type[PlainLines | LiveTable],
) -> None:
    out = StringIO()

    text = told(kind(Console(file=out, width=120)), out)

    failure, passing = text.index("✗ 3.1* answers come in time"), text.index("✓ 3.2* answers come in time")
    reasons = text[failure:passing]
    for part in ("504 within 31 s", "within 40 s", "event 7: GET /slow", "Bound the call."):
        assert part in reasons
    assert "504 within 31 s" not in text[passing:]


def test_on_a_terminal_the_table_has_a_line_for_each_exercise() -> None:
    out = StringIO()
    console = Console(file=out, width=120, force_terminal=True, color_system=None)
    display = progress(console)
    assert isinstance(display, LiveTable)

    text = told(display, out)

    assert "Exercise 3  Limits  2 of 2  ✓ 1  ✗ 1" in text
    assert re.search(r"running, about \d+ s left", text)


def test_what_is_put_off_says_why_and_has_no_details() -> None:
    out = StringIO()
    display = PlainLines(Console(file=out, width=120))

    display.postpone(result("not judged"))

    assert "(to be run again: no answer" in out.getvalue()
    assert "Bound the call" not in out.getvalue()


def test_nothing_steers_the_terminal() -> None:
    out = StringIO()
    display = PlainLines(Console(file=out, width=120))

    display.explain(
        ControlFailure(experiment="hang", reason="it exited", started=False, answer="", log=("no key",))
    )
    display.tell_untried(result())
    display.postpone(result("not judged"))

    assert "no key" in out.getvalue()
    assert "\x1b" not in out.getvalue()


def test_who_sees_nothing_wants_no_verdicts() -> None:
    assert not PlainLines(Console(quiet=True)).shows_verdicts
