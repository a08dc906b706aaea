"""An exercise folder as data: its rubric from exercise.toml, its experiments and checks from their modules."""

import importlib
import inspect
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from chaos.history import History
from lab.experiment import Experiment
from lab.verdict import Verdict

FOLDER = Path(__file__).parents[1] / "exercises" / "exam"

Check = Callable[..., Verdict]


@dataclass(frozen=True, slots=True)
class Criterion:
    """One thing that an exercise asks for. `check` is named `name`; its parameters name the experiments it reads."""

    number: str
    name: str
    title: str
    hint: str
    essential: bool
    check: Check
    experiments: tuple[Experiment, ...]

    def judge(self, histories: dict[str, History]) -> Verdict:
        """Apply the check to the histories of its experiments, by experiment name."""
        return self.check(**{needed.name: histories[needed.name] for needed in self.experiments})


@dataclass(frozen=True, slots=True)
class Exercise:
    """One exercise of the exam."""

    number: int
    title: str
    points: int
    core: bool
    criteria: tuple[Criterion, ...]

    @property
    def experiments(self) -> tuple[Experiment, ...]:
        """Every experiment that a criterion reads, once."""
        return tuple(dict.fromkeys(needed for one in self.criteria for needed in one.experiments))


@cache
def exercises() -> tuple[Exercise, ...]:
    """Return the exercises of the exam, by number."""
    found = [_load(path.parent) for path in FOLDER.glob("ex*/exercise.toml")]
    return tuple(sorted(found, key=lambda exercise: exercise.number))


def _load(folder: Path) -> Exercise:
    data = tomllib.loads((folder / "exercise.toml").read_text(encoding="utf-8"))
    checks = importlib.import_module(f"exercises.exam.{folder.name}.checks")
    experiments = importlib.import_module(f"exercises.exam.{folder.name}.experiments")
    criteria = []
    for position, entry in enumerate(data["criteria"], start=1):
        check: Check = getattr(checks, entry["name"])
        needed = tuple(getattr(experiments, name) for name in inspect.signature(check).parameters)
        criteria.append(
            Criterion(
                number=f"{data['number']}.{position}",
                name=entry["name"],
                title=entry["title"],
                hint=entry["hint"].strip(),
                essential=entry.get("essential", False),
                check=check,
                experiments=needed,
            )
        )
    return Exercise(data["number"], data["title"], data["points"], data["core"], tuple(criteria))
