"""Grades every hostile submission: no undeserved point, no traceback, no hang, no way out, and nothing left behind."""

import json
import os
import re
import time
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from chaos.sandbox.bubblewrap import find_bubblewrap, refusal
from grading.render_text import render
from grading.report import Report
from grading.workspace import remove_tree
from tests.hostile.corpus import ESCAPED, Hostile, corpus
from tests.hostile.surroundings import Surroundings, empty_cgroups

pytestmark = pytest.mark.slow
WRONG_USE = 2
LIMIT = 240.0
"""Seconds: no experiment takes longer."""
CROWD = 4
"""Waiting processes for each processor, over a minute: no submission of the corpus brings it there in its time."""
UNFIT = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def _cases() -> list[object]:
    return [
        pytest.param(
            one,
            runtime,
            id=f"{group}-{one.name}" + (f"-{runtime}" if runtime != "sandbox" else ""),
            marks=[
                *([pytest.mark.xfail(reason=one.flaw, strict=True)] if one.flaw else []),
                *([pytest.mark.long] if runtime == "docker" else []),
            ],
        )
        for group, one in corpus()
        for runtime in one.runtimes
    ]


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache of the grader's that only this worker's cases use: what changes in it is theirs."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def surroundings(tmp_path: Path, cache: Path) -> Iterator[Surroundings]:
    yield Surroundings.make(tmp_path, cache)
    remove_tree(tmp_path)  # pytest's own way does not get to the end of every folder


@pytest.mark.parametrize(("hostile", "runtime"), _cases())
def test_it_gains_nothing_and_leaves_nothing(
    hostile: Hostile, runtime: str, surroundings: Surroundings, request: pytest.FixtureRequest
) -> None:
    if runtime == "sandbox" and (why := refusal(find_bubblewrap())):
        pytest.skip(why)
    if runtime == "docker":
        request.getfixturevalue("container_runtime")
    if hostile.alone:
        request.getfixturevalue("all_grading_slots")
    elif (
        hostile.assessment == "exam"
    ):  # dozens of starts at once: more of these side by side starve each other
        request.getfixturevalue("grading_slot")
    folder = hostile.write(surroundings.submissions, surroundings.places)
    before, groups = surroundings.kept(), empty_cgroups()
    words = ["score", f"{folder}{hostile.at}", "--runtime", runtime, "--format", "json", "--out"]
    chosen = [word for number in hostile.exercises for word in ("--exercise", str(number))]

    ended = surroundings.run(
        *words, str(surroundings.out), "--assessment", hostile.assessment, *chosen, seconds=LIMIT
    )

    told = ended.stdout + ended.stderr
    everything = told + surroundings.written()
    reports = json.loads(ended.stdout)
    report = reports[0] if reports else None
    if "the machine was too busy" in told and _loaded_by_others():
        pytest.skip("the machine was too busy to tell")
    assert ended.code in hostile.exits, told[-3000:]
    assert not re.search("^Traceback", ended.stderr, re.MULTILINE)  # the log of a service may have one
    if report:
        assert report["points"] <= hostile.points
        # What holds no commit to grade is wrong use: there is nothing to be judged.
        assert report["judged"] or ended.code == WRONG_USE
        told += _rendered(ended.stdout)
    assert UNFIT.findall(told.replace("\t", " ")) == []
    assert [text for text in hostile.says if text not in told] == []
    assert [text for text in (*hostile.never, ESCAPED, surroundings.canary) if text in everything] == []
    assert ended.left == ()
    assert surroundings.left() == []
    assert _changes(before, surroundings.kept()) == []
    assert _new_groups(groups) == set()


def _loaded_by_others() -> bool:
    """Whether more waits for the processors than one grading, whatever its submission does, could have."""
    return os.getloadavg()[0] > CROWD * len(os.sched_getaffinity(0))


def _rendered(stdout: str) -> str:
    stream = StringIO()
    totals = {"points", "max_points", "judged"}
    fields = {name: value for name, value in json.loads(stdout)[0].items() if name not in totals}
    render(Report.model_validate(fields), Console(file=stream, width=120, force_terminal=False))
    return stream.getvalue()


def _changes(before: dict[str, str], after: dict[str, str]) -> list[str]:
    """Return the names of what was changed or taken away, or has come where nothing may."""
    watched = {name for name in after if "/marks/" in name or "/home/" in name}
    return [name for name in {*before, *watched} if before.get(name) != after.get(name)]


def _new_groups(before: set[str]) -> set[str]:
    """Return the control groups that were left; those of others, at work beside this, are soon in use or gone."""
    deadline = time.monotonic() + 10
    while (new := empty_cgroups() - before) and time.monotonic() < deadline:
        time.sleep(0.2)
    return new
