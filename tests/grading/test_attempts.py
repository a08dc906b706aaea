"""The second run of what the first has left open, and what becomes of the first without it."""

import contextlib
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import cast

import pytest

from chaos.history import History
from chaos.network import LOOPBACK
from chaos.program import ProcessProgram
from chaos.toxiproxy import Toxiproxy
from grading.attempts import Attempts
from grading.errors import GradingError, MachineError, SubmissionError
from grading.progress import Silent
from grading.runtime import Runtime
from lab.exercise import Criterion, Exercise
from lab.experiment import Experiment
from lab.lab import Lab
from lab.scoring import Scoring
from lab.verdict import Verdict, passed
from tests.exam import CONTRACT

pytestmark = pytest.mark.medium


async def _reads(lab: Lab) -> None:
    """Read nothing."""


async def _breaks(lab: Lab) -> None:
    raise MachineError("the disk is full")


READS = Experiment("reads", _reads, seconds=1, needs="nothing")
BREAKS = Experiment("breaks", _breaks, seconds=1, needs="nothing")


def _read(reads: History) -> Verdict:
    return passed("all well")


def _broken(breaks: History) -> Verdict:
    return passed("all well")


def criterion(number: str, check: Callable[..., Verdict], experiment: Experiment) -> Criterion:
    return Criterion(
        number=number,
        name=check.__name__,
        title="something holds",
        hint="",
        essential=False,
        check=check,
        experiments=(experiment,),
        needs="nothing",
    )


EXERCISE = Exercise(
    9,
    "Something",
    20,
    core=False,
    criteria=(criterion("9.1", _read, READS), criterion("9.2", _broken, BREAKS)),
)


@pytest.mark.parametrize("error", [MachineError("no network"), SubmissionError("it does not install")])
async def test_the_verdicts_of_the_first_run_stand_without_a_second(
    error: GradingError, tmp_path: Path
) -> None:
    opened = 0

    def program() -> ProcessProgram:
        return ProcessProgram(
            argv=lambda _host, _port: [],
            env=lambda _host, _port: {},
            python=Path(sys.executable),
            root=tmp_path,
            repository=tmp_path,
            workdir=tmp_path,
        )

    @contextlib.asynccontextmanager
    async def runtime() -> AsyncIterator[Runtime]:
        nonlocal opened
        opened += 1
        if opened > 1:
            raise error
        nobody = cast(Toxiproxy, None)  # what needs nothing asks for no proxy
        yield Runtime(nobody, "none", LOOPBACK, program, tmp_path)

    scoring = Scoring(scheme="levels", functional=0.5, mentions={"passed": 60})
    attempts = Attempts(CONTRACT, scoring, [EXERCISE], 1, Silent(), lambda: 0.0)

    await attempts.run(runtime)

    [result] = attempts.results
    assert opened == 2
    assert [one.status for one in result.criteria] == ["passed", "not judged"]
