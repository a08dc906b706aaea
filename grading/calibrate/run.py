"""Grades cases of the corpus, each as an ordinary grading run on a folder of its own."""

from chaos.history import History
from exercises.exercise import Exercise
from grading.calibrate.corpus import Case
from grading.calibrate.outcome import Outcome, outcome_of
from grading.calibrate.smoke import smoke
from grading.progress import Progress
from grading.report import Report
from grading.score import score
from grading.workspace import Workspace


async def run(
    case: Case, exercises: list[Exercise], *, seed: int, progress: Progress
) -> tuple[Outcome, Report, dict[str, History]]:
    """Grade a case once. Raises StaleMutantError where a mutant does not fit the service any more."""
    fingerprint = case.fingerprint()
    with Workspace.open() as workspace:
        folder = workspace.folder("case") / case.name
        folder.mkdir()
        case.write(folder)
        graded = await score(str(folder), exercises, seed=seed, workspace=workspace, progress=progress)
    outcome = outcome_of(case.name, fingerprint, graded.report, smoke(graded.histories))
    return outcome, graded.report, graded.histories


def chosen_exercises(case: Case, every: tuple[Exercise, ...], *, quick: bool) -> list[Exercise]:
    """Return the exercises to grade a case in: all, or for a quick look at a mutant those that it must fail."""
    touched = {int(number.partition(".")[0]) for number in case.fails | case.open}
    return [one for one in every if not quick or case.kind != "mutant" or one.number in touched]
