"""Reports of every sort that a format has to hold."""

from pathlib import Path

from grading import judge
from grading.report import ControlFailure, Report
from grading.results import load
from lab.verdict import not_judged
from tests.exam import EXAM
from tests.recordings import unpack

HOSTILE = (
    "</testcase>]]> <img src=x onerror=alert(1)> {{ 7*7 }} **bold** [link](http://evil.test) www.evil.test\n"
    "::error::forged %0A::set-output name=x::1 `code` | cell | @someone \u202e\x00\x1b[31m \ufffe \ud800 =cmd()"
)
NAMES = ["reference", "starter", "hostile", "unstarted", "unfetched", "halved"]


def sample(name: str, folder: Path) -> Report:
    """A recorded run, or one that is changed to be of another sort."""
    recorded, _ = load(unpack("reference" if name == "reference" else "starter", folder))
    match name:
        case "hostile":
            return _hostile(recorded)
        case "unstarted":
            failure = ControlFailure(
                experiment="hang", reason="it exited", started=False, answer="", log=(HOSTILE,)
            )
            return recorded.model_copy(update={"control_failure": failure})
        case "unfetched":
            verdict = not_judged("There is no folder /no/such/folder.")
            exercises = judge.fail_all(EXAM.exercises, verdict, EXAM.scoring)
            update = {"exercises": exercises, "grade": None, "bonus": None, "problem": "There is no folder."}
            return recorded.model_copy(update=update)
        case "halved":
            exercises = tuple(
                one.model_copy(update={"points": one.max_points / 2, "level": "functional"})
                for one in recorded.exercises
            )
            return recorded.model_copy(update={"exercises": exercises})
        case _:
            return recorded


def _hostile(report: Report) -> Report:
    exercises = tuple(
        exercise.model_copy(
            update={
                "criteria": tuple(
                    one.model_copy(
                        update={
                            "title": HOSTILE,
                            "actual": HOSTILE,
                            "expected": HOSTILE,
                            "hint": HOSTILE,
                            "tried": HOSTILE,
                            "request": HOSTILE,
                            "log": (HOSTILE,),
                            "moments": tuple(
                                moment.model_copy(update={"text": HOSTILE}) for moment in one.moments
                            ),
                        }
                    )
                    for one in exercise.criteria
                )
            }
        )
        for exercise in report.exercises
    )
    return report.model_copy(
        update={"submission": HOSTILE, "problem": HOSTILE, "exercises": exercises, "commit": HOSTILE}
    )
