from io import StringIO

import pytest
from rich.console import Console

from grading.classroom.display import LATEST, display, outcome
from tests.grading.classroom.samples import make_grade

HOSTILE = "[red]x[/red] \x1b[2J\u202e"


def make_console(*, terminal: bool) -> tuple[Console, StringIO]:
    stream = StringIO()
    return Console(file=stream, force_terminal=terminal, width=100, height=40, highlight=False), stream


def test_lines_in_a_pipe() -> None:
    console, stream = make_console(terminal=False)
    with display(console, 3) as shown:
        shown.step("ada", "starting")
        shown.step("ada", "1 of 2 experiments done")
        shown.ended(make_grade("Ada", 72.5))
        shown.ended(make_grade("Grace", None, reason=f"{HOSTILE}\nsecond line"))
        shown.ended(make_grade("Zed", 50), unchanged=True)

    lines = [line[12:] for line in stream.getvalue().splitlines()]
    assert lines == [
        "ada: starting",
        "ada: 72.5 of 100 points, passed (1 of 3)",
        "grace: not fetched: [red]x[/red] second line (2 of 3)",
        "zed: unchanged (3 of 3)",
    ]


def test_a_table_on_a_terminal() -> None:
    console, stream = make_console(terminal=True)
    with display(console, 30) as shown:
        for number in range(LATEST + 3):
            shown.ended(make_grade(f"S{number}", 70))
        shown.step("ada", HOSTILE)
        shown.step("ada", "3 of 9 experiments done")
        stream.truncate(0)
        shown._live.refresh()  # type: ignore[attr-defined]
        text = stream.getvalue()

    assert f"{LATEST + 3} of 30 students" in text
    assert "3 of 9 experiments done" in text
    assert "s2 " not in text
    assert f"s{LATEST + 2}" in text
    assert "\x1b[2J" not in text
    assert "\u202e" not in text


@pytest.mark.parametrize(
    ("points", "words"), [(100, "100 of 100 points, distinction"), (None, "not fetched: gone")]
)
def test_an_outcome_in_words(points: float | None, words: str) -> None:
    assert outcome(make_grade("Ada", points, reason="" if points else "gone")) == words
