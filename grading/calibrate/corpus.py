"""What the grader is proven on: mutants of the reference solution, whole solutions, and half ones.

A mutant is a small fault in a complete solution, told in `calibration/mutants/*.toml`:

    [[mutants]]
    name = "retry-without-backoff"
    story = "Somebody takes the pauses out to make a test faster."
    fails = ["4.2"]
    [[mutants.changes]]
    file = "src/api/utils/retry.py"
    old = "await sleep(delay)"
    new = "await sleep(0)"

`fails` names every criterion that the fault must fail, those that follow from it included; `open` those that it leaves
without a verdict. `hidden_in` names the runtimes in which it has no effect: with the first process of a container ends
whatever that process left behind. `old` has to occur exactly once, so that a mutant which the service has outgrown is found out.

A half-solution is a file of its own, `calibration/halves/NAME.toml`: changes to a whole solution, `base`, with the
`points` that a careful human gives what is left, and why (`reason`). `removed` names the files that it does not have.

A variation is a right service in another dress, and must pass every criterion. `calibration/variations/*.toml` tells
several: changes to the same solution as the mutants', or to the complete solution `base`.

    [[variations]]
    name = "retry-after-is-a-date"
    story = "Retry-After holds a date, which RFC 9110 allows as well as seconds."
    [[variations.changes]]
    ...

What mutants and variations change is `calibration/service`: a service that is complete in the exam and stays as it is, so
that what is proven on it holds while the repository's own service grows.

The number in a file's name is the exercise that its cases are about. A file of variations needs none.

The project's reference solution is this repository with its pages and its deployment. `calibration/project61/added` has
what a student's repository has in the place of the course's: a README, and tests that need no grader.

An assessment whose reference solution is a folder of its own (`exercises/NAME/solution`) has its corpus in
`calibration/NAME/` instead. A folder of its `solutions` with an `expected.toml` is a half-solution: `points`, `fails` and
`open` as above.
"""

import hashlib
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from grading.calibrate.files import Change, Expected, Half, Mutants, Variations, apply, read
from grading.errors import UsageError
from grading.runtime import RuntimeName
from lab.assessment import Assessment

ROOT = Path(__file__).parents[2]
CALIBRATION = "calibration"
MUTANTS = "mutants"
SERVICE = "service"
SOLUTIONS = "solutions"
HALVES = "halves"
VARIATIONS = "variations"
EXPECTED = "expected.toml"

SUBMITTED = ("pyproject.toml", "uv.lock", ".env.example", "docker-compose.yml", "src")
"""What makes the reference solution a submission, where this repository is that."""
ADDED = "added"
PROJECT_SUBMITTED = (
    *SUBMITTED,
    *("Makefile", "docker", "deploy", ".github"),
    *("docs/API.md", "docs/ARCHITECTURE.md", "docs/DEPLOYMENT.md"),
)
"""Where a submission is a whole project: its pages and its deployment too."""
WHOLE = (".",)
DECIDING = ("chaos", "exercises", "grading", "lab", "uv.lock")
"""What decides on a verdict, beside the submission."""
_NOT_DECIDING = {
    *("starter", "handout", "calibrate", "stack", "demo"),
    *("__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache"),
}

Kind = Literal["reference", "mutant", "generated", "solution", "half", "variation"]


@dataclass(frozen=True, slots=True)
class Case:
    """One submission to be graded, with what must come of it.

    `exercises` are those that it is about; empty for all. `points` are those that it must get, `least` at least so many.
    `equivalent` says why a mutant that was made by machine breaks no promise. `added` is a folder whose files the
    submission has besides its own.
    """

    name: str
    kind: Kind
    story: str
    source: Path
    fails: frozenset[str] = frozenset()
    open: frozenset[str] = frozenset()
    hidden_in: frozenset[RuntimeName] = frozenset()
    removed: tuple[str, ...] = ()
    changes: tuple[Change, ...] = ()
    exercises: frozenset[int] = frozenset()
    points: float | None = None
    least: float | None = None
    equivalent: str = ""
    submitted: tuple[str, ...] = WHOLE
    added: Path | None = None

    def write(self, folder: Path) -> None:
        """Write the submission into an empty folder. Raises StaleChangeError."""
        ignored = shutil.ignore_patterns("__pycache__", EXPECTED)
        for name in self.submitted:
            original = self.source / name
            if original.is_dir():
                shutil.copytree(original, folder / name, dirs_exist_ok=True, ignore=ignored)
            else:
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(original, folder / name)
        if self.added:
            shutil.copytree(self.added, folder, dirs_exist_ok=True, ignore=ignored)
        for name in self.removed:
            (folder / name).unlink()
        for change in self.changes:
            apply(change, folder)

    def fingerprint(self, root: Path = ROOT) -> str:
        """Return a digest of everything that decides on the verdicts: the submission and the grader."""
        changes = "".join(change.model_dump_json() for change in self.changes)
        added = _digest(self.added, WHOLE) if self.added else ""
        parts = (_digest(self.source, self.submitted), added, _digest(root, DECIDING), *self.removed, changes)
        return hashlib.sha256("/".join(parts).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Corpus:
    """Where the cases of an assessment are.

    They are its reference solution, the complete solution `changed` that mutants and variations change, and all others in
    `folder`. `added` is what the first two have besides their own files.
    """

    reference: Path
    changed: Path
    folder: Path
    submitted: tuple[str, ...]
    added: Path | None = None

    @property
    def page(self) -> Path:
        """What the runs of its cases have shown, for readers. The exam's page is one of the course's."""
        is_exams = self.folder.name == CALIBRATION
        return (self.folder.parent / "docs" if is_exams else self.folder) / "CALIBRATION.md"

    @classmethod
    def of(cls, assessment: Assessment, root: Path = ROOT) -> "Corpus":
        """Return the corpus of an assessment in the repository at `root`."""
        solution = root / "exercises" / assessment.name / "solution"
        if solution.is_dir():
            return cls(solution, solution, root / CALIBRATION / assessment.name, WHOLE)
        own = root / CALIBRATION / assessment.name
        if own.is_dir():
            return cls(root, root, own, PROJECT_SUBMITTED, own / ADDED)
        return cls(root, root / CALIBRATION / SERVICE, root / CALIBRATION, SUBMITTED)

    def cases(self) -> tuple[Case, ...]:
        """Return the reference solution first, then mutants by exercise, other people's solutions, and variations.

        Raises UsageError where there are none, as in a hand-out, or where they cannot be read.
        """
        files = sorted((self.folder / MUTANTS).glob("*.toml"))
        if not files:
            raise UsageError(
                f"There is nothing in {self.folder / MUTANTS}; calibrate in the instructor's repository."
            )
        story = "The reference solution as it is."
        reference = Case(
            "reference", "reference", story, self.reference, submitted=self.submitted, added=self.added
        )
        found = [
            reference,
            *self._mutants(files),
            *_solutions(self.folder),
            *([_complete(self.changed)] if self.changed != self.reference else []),
            *_halves(self.folder),
            *self._variations(),
        ]
        names = [case.name for case in found]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise UsageError(f"The corpus has two cases of the name {twice[0]}.")
        return tuple(found)

    def _mutants(self, files: Iterable[Path]) -> list[Case]:
        return [
            Case(
                name=one.name,
                kind="mutant",
                story=one.story,
                source=self.changed,
                fails=frozenset(one.fails),
                open=frozenset(one.open),
                hidden_in=frozenset(one.hidden_in),
                changes=one.changes,
                exercises=_exercises(path),
                submitted=WHOLE if self.added is None else self.submitted,
                added=self.added,
            )
            for path in files
            for one in read(path, Mutants).mutants
        ]

    def _variations(self) -> list[Case]:
        return [
            Case(
                name=one.name,
                kind="variation",
                story=one.story,
                source=self.folder / SOLUTIONS / one.base if one.base else self.changed,
                removed=one.removed,
                changes=one.changes,
                exercises=_exercises(path),
            )
            for path in sorted((self.folder / VARIATIONS).glob("*.toml"))
            for one in read(path, Variations).variations
        ]


def sample(corpus: Sequence[Case], count: int) -> tuple[Case, ...]:
    """Return `count` cases: the first of each exercise and kind, then the second of each, and so on.

    Those that are made by machine come by the place of their fault, and are shuffled, always the same way.
    """
    groups: dict[tuple[str, frozenset[int]], list[Case]] = {}
    for case in sorted(corpus, key=_shuffled):
        groups.setdefault((case.kind, case.exercises), []).append(case)
    ranked = [(rank, case) for group in groups.values() for rank, case in enumerate(group)]
    return tuple(case for _, case in sorted(ranked, key=lambda pair: pair[0])[:count])


def _shuffled(case: Case) -> str:
    return hashlib.sha256(case.name.encode()).hexdigest() if case.kind == "generated" else ""


def _exercises(path: Path) -> frozenset[int]:
    digits = "".join(filter(str.isdigit, path.stem))
    return frozenset({int(digits)} if digits else ())


def _solutions(calibration: Path) -> list[Case]:
    folders = sorted(path for path in (calibration / SOLUTIONS).glob("*") if (path / "src").is_dir())
    return [_half_folder(path) if (path / EXPECTED).exists() else _complete(path) for path in folders]


def _complete(path: Path) -> Case:
    return Case(path.name, "solution", "A complete solution.", path, least=100)


def _half_folder(path: Path) -> Case:
    one = read(path / EXPECTED, Expected)
    return Case(
        path.name,
        "half",
        one.reason,
        path,
        fails=frozenset(one.fails),
        open=frozenset(one.open),
        points=one.points,
    )


def _halves(calibration: Path) -> list[Case]:
    files = sorted((calibration / HALVES).glob("*.toml"))
    return [
        Case(
            name=path.stem,
            kind="half",
            story=one.reason,
            source=calibration / SOLUTIONS / one.base,
            fails=frozenset(one.fails),
            open=frozenset(one.open),
            removed=one.removed,
            changes=one.changes,
            points=one.points,
        )
        for path, one in ((path, read(path, Half)) for path in files)
    ]


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
