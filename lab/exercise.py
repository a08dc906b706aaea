"""An exercise folder as data: its rubric from exercise.toml, its experiments and checks from their modules."""

import importlib
import importlib.util
import inspect
import tomllib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from chaos.history import History
from lab.axes import Axes, Axis
from lab.control import Need
from lab.experiment import Experiment
from lab.verdict import Verdict

RUBRIC = "exercise.toml"
RUN = "run"
"""A check's parameter of this name stands for the histories of the whole run, whatever they were made for."""

Check = Callable[..., Verdict]


@dataclass(frozen=True, slots=True)
class Criterion:
    """One thing that an exercise asks for. `check` is named `name`; its parameters name the experiments it reads.

    It is judged where the control phase holds as far as it `needs`. What `points` mean, the assessment's scoring says.
    `measured` tells students in Markdown what the title leaves open; the exercise's page shows both.
    """

    number: str
    name: str
    title: str
    hint: str
    essential: bool
    check: Check
    experiments: tuple[Experiment, ...]
    needs: Need = "answer"
    points: float = 1.0
    measured: str = ""
    axes: tuple[Axis[object], ...] = ()
    reads_run: bool = False

    def judge(self, histories: Mapping[str, History]) -> Verdict:
        """Apply the check to the histories of its experiments, by experiment name.

        Where it reads those of the whole run, these are all that are given.
        """
        run = {RUN: tuple(histories.values())} if self.reads_run else {}
        return self.check(**{needed.name: histories[needed.name] for needed in self.experiments}, **run)


@dataclass(frozen=True, slots=True)
class Exercise:
    """One exercise of an assessment. The points of a `bonus` exercise come on top of the total."""

    number: int
    title: str
    points: float
    core: bool
    criteria: tuple[Criterion, ...]
    bonus: bool = False

    @property
    def experiments(self) -> tuple[Experiment, ...]:
        """Every experiment that a criterion reads, once."""
        return tuple(dict.fromkeys(needed for one in self.criteria for needed in one.experiments))

    def only(self, numbers: Collection[str]) -> "Exercise":
        """Return the exercise with these of its criteria alone, which bring no points."""
        kept = tuple(one for one in self.criteria if one.number in numbers)
        return replace(self, criteria=kept, points=0.0)


def load(folder: Path, package: str) -> Exercise:
    """Return the exercise in a folder, whose modules are in `package`.

    Raises ValueError, naming what is missing, where its parts do not fit together.
    """
    data = tomllib.loads((folder / RUBRIC).read_text(encoding="utf-8"))
    checks = importlib.import_module(f"{package}.checks")
    experiments = importlib.import_module(f"{package}.experiments")
    axes = _axes(package)
    criteria = []
    for position, entry in enumerate(data["criteria"], start=1):
        check: Check | None = getattr(checks, entry["name"], None)
        if check is None:
            raise ValueError(f"{package}.checks has no check '{entry['name']}', which {RUBRIC} names")
        parameters = list(inspect.signature(check).parameters)
        names = [name for name in parameters if name != RUN]
        if missing := [name for name in names if not hasattr(experiments, name)]:
            raise ValueError(
                f"{package}.experiments has no experiment '{missing[0]}', which '{check.__name__}' reads"
            )
        criteria.append(
            Criterion(
                number=f"{data['number']}.{position}",
                name=entry["name"],
                title=entry["title"],
                hint=entry["hint"].strip(),
                essential=entry.get("essential", False),
                check=check,
                experiments=tuple(getattr(experiments, name) for name in names),
                needs=entry.get("needs", "answer"),
                points=entry.get("points", 1),
                measured=entry.get("measured", "").strip(),
                axes=axes.get(entry["name"], ()),
                reads_run=RUN in parameters,
            )
        )
    return Exercise(
        number=data["number"],
        title=data["title"],
        points=data.get("points", sum(one.points for one in criteria)),
        core=data.get("core", False),
        criteria=tuple(criteria),
        bonus=data.get("bonus", False),
    )


def _axes(package: str) -> Axes:
    """Return the axes of an exercise's criteria, by name; of an exercise without the module, none."""
    if importlib.util.find_spec(f"{package}.axes") is None:
        return {}
    axes: Axes = importlib.import_module(f"{package}.axes").AXES
    return axes
