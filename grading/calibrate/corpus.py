"""What the grader is proven on: mutants of the reference solution, whole solutions, and half ones.

A mutant is a small fault in the reference solution, told in `calibration/mutants/*.toml`:

    [[mutants]]
    name = "retry-without-backoff"
    story = "Somebody takes the pauses out to make a test faster."
    fails = ["4.2"]
    [[mutants.changes]]
    file = "src/api/utils/retry.py"
    old = "await sleep(delay)"
    new = "await sleep(0)"

`fails` names every criterion that the fault must fail, those that follow from it included; `open` those that it leaves
without a verdict. `old` has to occur exactly once, so that a mutant which the service has outgrown is found out.

A half-solution is a file of its own, `calibration/halves/NAME.toml`: changes to a whole solution, `base`, with the
`points` that a careful human gives what is left, and why (`reason`). `removed` names the files that it does not have.
"""

import hashlib
import shutil
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict

from grading.errors import UsageError

ROOT = Path(__file__).parents[2]
MUTANTS = "calibration/mutants"
SOLUTIONS = "calibration/solutions"
HALVES = "calibration/halves"

SUBMITTED = ("pyproject.toml", "uv.lock", ".env.example", "docker-compose.yml", "src")
"""What makes the reference solution a submission."""
DECIDING = ("chaos", "exercises", "grading", "lab", "uv.lock")
"""What decides on a verdict, beside the submission."""
_NOT_DECIDING = {
    *("starter", "handout", "calibrate", "stack", "demo"),
    *("__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache"),
}

Kind = Literal["reference", "mutant", "solution", "half"]


class Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Change(Model):
    """Text to be replaced in a file. A file without `old` is new, or replaced as a whole."""

    file: str
    old: str = ""
    new: str


class Mutant(Model):
    """A fault in the reference solution, with the criteria that must fail for it and no others."""

    name: str
    story: str
    fails: tuple[str, ...]
    open: tuple[str, ...] = ()
    changes: tuple[Change, ...]


class Mutants(Model):
    """A file of mutants."""

    mutants: tuple[Mutant, ...]


class Half(Model):
    """A solution with parts undone; what a careful human gives it, and why."""

    base: str
    points: float
    fails: tuple[str, ...] = ()
    open: tuple[str, ...] = ()
    reason: str
    removed: tuple[str, ...] = ()
    changes: tuple[Change, ...]


M = TypeVar("M", bound=Model)


class StaleChangeError(ValueError):
    """The text that a change replaces is not in the service, or more than once."""


@dataclass(frozen=True, slots=True)
class Case:
    """One submission to be graded, with what must come of it.

    `exercise` is the one that a mutant is about. `points` is None where nothing but the criteria is expected.
    """

    name: str
    kind: Kind
    story: str
    source: Path
    fails: frozenset[str] = frozenset()
    open: frozenset[str] = frozenset()
    removed: tuple[str, ...] = ()
    changes: tuple[Change, ...] = ()
    exercise: int | None = None
    points: float | None = None

    def write(self, folder: Path) -> None:
        """Write the submission into an empty folder. Raises StaleChangeError."""
        ignored = shutil.ignore_patterns("__pycache__")
        for name in self._submitted:
            original = self.source / name
            if original.is_dir():
                shutil.copytree(original, folder / name, dirs_exist_ok=True, ignore=ignored)
            else:
                shutil.copyfile(original, folder / name)
        for name in self.removed:
            (folder / name).unlink()
        for change in self.changes:
            apply(change, folder)

    def fingerprint(self, root: Path = ROOT) -> str:
        """Return a digest of everything that decides on the verdicts: the submission and the grader."""
        changes = "".join(change.model_dump_json() for change in self.changes)
        parts = (_digest(self.source, self._submitted), _digest(root, DECIDING), *self.removed, changes)
        return hashlib.sha256("/".join(parts).encode()).hexdigest()[:16]

    @property
    def _submitted(self) -> tuple[str, ...]:
        """The parts of `source` that are the submission: all of a solution's folder, some of this repository."""
        return SUBMITTED if self.kind in {"reference", "mutant"} else (".",)


def cases(root: Path = ROOT) -> tuple[Case, ...]:
    """Return the corpus: the reference solution first, then mutants by exercise, then other people's solutions.

    Raises UsageError where there is none, as in a hand-out, or where it cannot be read.
    """
    files = sorted((root / MUTANTS).glob("*.toml"))
    if not files:
        raise UsageError(f"There is no {MUTANTS} here; calibrate in the instructor's repository.")
    reference = Case("reference", "reference", "The reference solution as it is.", root)
    found = [reference, *_mutants(files, root), *_solutions(root), *_halves(root)]
    names = [case.name for case in found]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise UsageError(f"The corpus has two cases of the name {twice[0]}.")
    return tuple(found)


def sample(corpus: Sequence[Case], count: int) -> tuple[Case, ...]:
    """Return `count` cases: the first of each exercise and kind, then the second of each, and so on."""
    groups: dict[tuple[str, int | None], list[Case]] = {}
    for case in corpus:
        groups.setdefault((case.kind, case.exercise), []).append(case)
    ranked = [(rank, case) for group in groups.values() for rank, case in enumerate(group)]
    return tuple(case for _, case in sorted(ranked, key=lambda pair: pair[0])[:count])


def apply(change: Change, folder: Path) -> None:
    """Make a change in the copy of the service in `folder`. Raises StaleChangeError where it does not fit."""
    path = folder / change.file
    if not change.old:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(change.new, encoding="utf-8")
        return
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    if (count := text.count(change.old)) != 1:
        raise StaleChangeError(f"{change.file} holds {count} times, and not once: {change.old!r}")
    path.write_text(text.replace(change.old, change.new), encoding="utf-8")


def _mutants(files: Iterable[Path], root: Path) -> list[Case]:
    return [
        Case(
            name=one.name,
            kind="mutant",
            story=one.story,
            source=root,
            fails=frozenset(one.fails),
            open=frozenset(one.open),
            changes=one.changes,
            exercise=int("".join(filter(str.isdigit, path.stem))),
        )
        for path in files
        for one in _read(path, Mutants).mutants
    ]


def _solutions(root: Path) -> list[Case]:
    folders = sorted(path for path in (root / SOLUTIONS).glob("*") if (path / "src").is_dir())
    return [Case(path.name, "solution", "A complete solution.", path, points=100) for path in folders]


def _halves(root: Path) -> list[Case]:
    files = sorted((root / HALVES).glob("*.toml"))
    return [
        Case(
            name=path.stem,
            kind="half",
            story=one.reason,
            source=root / SOLUTIONS / one.base,
            fails=frozenset(one.fails),
            open=frozenset(one.open),
            removed=one.removed,
            changes=one.changes,
            points=one.points,
        )
        for path, one in ((path, _read(path, Half)) for path in files)
    ]


def _read(path: Path, model: type[M]) -> M:
    """Return what a file holds; raises UsageError where that cannot be read."""
    try:
        return model.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except ValueError as error:
        raise UsageError(f"{path} cannot be read: {error}") from error


@cache
def _digest(root: Path, names: tuple[str, ...]) -> str:
    """Return a digest of files; made once, for what a run has imported does not change under it."""
    digest = hashlib.sha256()
    for path in _files(root, names):
        digest.update(f"{path.relative_to(root)}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _files(root: Path, names: Iterable[str]) -> list[Path]:
    found = []
    for name in names:
        top = root / name
        found += [top] if top.is_file() else [path for path in top.rglob("*") if _decides(path, root)]
    return sorted(found)


def _decides(path: Path, root: Path) -> bool:
    inner = path.relative_to(root).parts
    return path.is_file() and path.suffix != ".md" and _NOT_DECIDING.isdisjoint(inner)
