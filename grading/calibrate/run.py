"""Grades cases of the corpus, each as an ordinary grading run on a folder of its own."""

import asyncio
import random
from collections.abc import Callable, Collection, Generator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console

from grading import results
from grading.calibrate.corpus import Case
from grading.calibrate.files import StaleChangeError
from grading.calibrate.outcome import Conditions, Journal, Outcome, outcome_of
from grading.calibrate.smoke import smoke
from grading.calibrate.tally import as_expected
from grading.calibrate.workers import side_by_side
from grading.errors import GradingError
from grading.progress import PlainLines
from grading.runtimes import choose_runtime
from grading.score import score
from grading.workspace import Workspace
from lab.assessment import Assessment


@dataclass(frozen=True, slots=True)
class Task:
    """One run to be done: a case in some exercises. What surprises is kept in `surprises`.

    `assessment` loads it in the process that does the run.
    """

    case: Case
    numbers: frozenset[int]
    surprises: Path
    conditions: Conditions
    assessment: Callable[[], Assessment]


def tasks(
    chosen: Sequence[Case],
    journal: Journal,
    surprises: Path,
    *,
    repeat: int,
    quick: bool,
    conditions: Conditions,
    assessment: Callable[[], Assessment],
) -> list[Task]:
    """Return the runs that are missing from the journal, round by round."""
    found = []
    for number in range(repeat):
        for case in chosen:
            graded_in = chosen_exercises(case, assessment(), quick=quick)
            done = [
                one
                for one in journal.of(case.name, fingerprint=case.fingerprint(), **asdict(conditions))
                if one.exercises >= graded_in or one.stillborn
            ]
            if len(done) <= number:
                found.append(Task(case, graded_in, surprises, conditions, assessment))
    return found


def run_all(todo: Sequence[Task], jobs: int) -> Generator[tuple[Case, Outcome | str], None, None]:
    """Run tasks, `jobs` at a time, each in a process that is not disturbed by the others' judging.

    Yields an outcome, or what kept a case from being graded, as they come.
    """
    for task, outcome in side_by_side(run_one, todo, jobs):
        yield task.case, outcome


def run_one(task: Task) -> Outcome | str:
    """Do one run, and keep the report and the histories of one that did not go as expected."""
    try:
        return asyncio.run(_run(task))
    except (StaleChangeError, GradingError) as error:
        return str(error)


async def _run(task: Task) -> Outcome:
    case = task.case
    fingerprint = case.fingerprint()
    assessment = task.assessment()
    chosen = [one for one in assessment.exercises if one.number in task.numbers]
    seed = random.SystemRandom().randrange(2**32)
    with Workspace.open() as workspace:
        folder = workspace.folder("case") / case.name
        folder.mkdir()
        case.write(folder)
        graded = await score(
            str(folder),
            lambda _: (assessment, chosen),
            seed=seed,
            workspace=workspace,
            progress=PlainLines(Console(quiet=True)),
            runtime=choose_runtime(task.conditions.runtime),
        )
    outcome = outcome_of(case.name, fingerprint, graded.report, smoke(graded.histories), task.conditions)
    if not as_expected(case, outcome):
        results.save(task.surprises, graded.report, graded.histories)
    return outcome


def chosen_exercises(case: Case, assessment: Assessment, *, quick: bool) -> frozenset[int]:
    """Return the exercises to grade a case in: all, or for a quick look those that it is about.

    What a mutant must fail may be in exercises beside its own. Mutants made by machine get a quick look only.
    """
    if quick and case.kind == "mutant":
        return _exercises_of(case.fails | case.open)
    if case.kind == "generated" or (quick and case.exercises):
        return case.exercises
    return frozenset(one.number for one in assessment.exercises)


def _exercises_of(criteria: Collection[str]) -> frozenset[int]:
    return frozenset(int(number.partition(".")[0]) for number in criteria)
