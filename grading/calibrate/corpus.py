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
"""

import hashlib
import shutil
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from grading.errors import UsageError

ROOT = Path(__file__).parents[2]
MUTANTS = "calibration/mutants"
SOLUTIONS = "calibration/solutions"
HALVES = "calibration/halves"
EXPECTED = "expected.toml"

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


class Expected(Model):
    """What a careful human gives a half-solution, and why."""

    points: float
    fails: tuple[str, ...] = ()
    open: tuple[str, ...] = ()
    reason: str = ""


class StaleMutantError(ValueError):
    """The text that a mutant replaces is not in the service, or more than once."""


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
    changes: tuple[Change, ...] = ()
    exercise: int | None = None
    points: float | None = None

    def write(self, folder: Path) -> None:
        """Write the submission into an empty folder. Raises StaleMutantError."""
        if self.kind in {"solution", "half"}:
            shutil.copytree(self.source, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns(EXPECTED))
            return
        for name in SUBMITTED:
            original = self.source / name
            if original.is_dir():
                shutil.copytree(original, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copyfile(original, folder / name)
        for change in self.changes:
            apply(change, folder)

    def fingerprint(self, root: Path = ROOT) -> str:
        """Return a digest of everything that decides on the verdicts: the submission and the grader."""
        submitted = SUBMITTED if self.kind in {"reference", "mutant"} else (".",)
        changes = "".join(change.model_dump_json() for change in self.changes)
        parts = (_digest(self.source, submitted), _digest(root, DECIDING), changes)
        return hashlib.sha256("/".join(parts).encode()).hexdigest()[:16]


def cases(root: Path = ROOT) -> tuple[Case, ...]:
    """Return the corpus: the reference solution first, then mutants by exercise, then other people's solutions.

    Raises UsageError where there is none, as in a hand-out, or where it cannot be read.
    """
    files = sorted((root / MUTANTS).glob("*.toml"))
    if not files:
        raise UsageError(f"There is no {MUTANTS} here; calibrate in the instructor's repository.")
    reference = Case("reference", "reference", "The reference solution as it is.", root)
    found = [reference, *_mutants(files, root), *_solutions(root / SOLUTIONS), *_halves(root / HALVES)]
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
    """Make a change in the copy of the service in `folder`. Raises StaleMutantError where it does not fit."""
    path = folder / change.file
    if not change.old:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(change.new, encoding="utf-8")
        return
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    if (count := text.count(change.old)) != 1:
        raise StaleMutantError(f"{change.file} holds {count} times, and not once: {change.old!r}")
    path.write_text(text.replace(change.old, change.new), encoding="utf-8")


def _mutants(files: Iterable[Path], root: Path) -> list[Case]:
    found = []
    for path in files:
        exercise = int("".join(filter(str.isdigit, path.stem)))
        try:
            data = tomllib.loads(path.read_text(encoding="utf-8"))
            mutants = [Mutant.model_validate(entry) for entry in data["mutants"]]
        except (ValueError, KeyError) as error:
            raise UsageError(f"{path} cannot be read: {error}") from error
        found += [
            Case(
                name=one.name,
                kind="mutant",
                story=one.story,
                source=root,
                fails=frozenset(one.fails),
                open=frozenset(one.open),
                changes=one.changes,
                exercise=exercise,
            )
            for one in mutants
        ]
    return found


def _solutions(folder: Path) -> list[Case]:
    return [
        Case(path.name, "solution", "A complete solution.", path, points=100) for path in _folders(folder)
    ]


def _halves(folder: Path) -> list[Case]:
    found = []
    for path in _folders(folder):
        if not (path / EXPECTED).exists():
            continue
        expected = Expected.model_validate(tomllib.loads((path / EXPECTED).read_text(encoding="utf-8")))
        found.append(
            Case(
                name=path.name,
                kind="half",
                story=expected.reason,
                source=path,
                fails=frozenset(expected.fails),
                open=frozenset(expected.open),
                points=expected.points,
            )
        )
    return found


def _folders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*") if (path / "src").is_dir())


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
