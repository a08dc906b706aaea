r"""What is made: which kinds of faults where, and what each is about. Data of an assessment, in its corpus's folder.

`plan.toml` has targets, which apply operators to Python files, and rules, which replace what a pattern finds in any file:

    [[targets]]
    file = "src/api/services/circuit_breaker.py"
    where = ["CircuitBreaker._*"]
    operators = ["statements", "conditions"]
    exercises = [3]

    [[rules]]
    name = "field-renamed"
    files = ["src/api/routers/*.py"]
    pattern = '"(access_token)"'
    new = '"the_\1"'
    exercises = [1]

A rule makes one mutant for each match and each of its `values`, which stand for `{value}` in its texts; where they are a
table, their keys name the mutants.
`equivalent.toml` names mutants by patterns that break no promise, and says why.
"""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, model_validator

from grading.calibrate.generated import data, logic
from grading.calibrate.generated.options import Operator, Options
from grading.calibrate.generated.source import Fault, Source, matches, word

OPERATORS: dict[str, Operator] = {
    one.__name__: one
    for one in (
        *(logic.statements, logic.conditions, logic.operands, logic.boundaries),
        *(logic.handlers, logic.timeouts, logic.results),
        *(data.keywords, data.entries, data.elements, data.order),
        *(data.numbers, data.metadata, data.flags),
    )
}


class Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def _known(name: str) -> str:
    if name not in OPERATORS:
        raise ValueError(f"there is no operator {name}; there are {', '.join(OPERATORS)}")
    return name


class Target(Options):
    """Operators to be applied to a module."""

    file: str
    operators: tuple[Annotated[str, AfterValidator(_known)], ...]
    exercises: frozenset[int]

    def faults(self, root: Path) -> Iterator[tuple[str, Fault]]:
        """Yield the path of the file with each fault in it."""
        source = Source((root / self.file).read_text(encoding="utf-8"))
        for name in self.operators:
            for fault in OPERATORS[name](source, self):
                if matches(fault.what, self.only) and not matches(fault.what, self.unless):
                    yield self.file, fault


def _by_name(values: object) -> object:
    return {one: one for one in values} if isinstance(values, list) else values


class Rule(Model):
    """A text to be replaced wherever it is found. The group `named` of the pattern becomes part of a mutant's name."""

    name: str
    named: int | None = None
    files: tuple[str, ...]
    pattern: str
    new: str
    values: Annotated[dict[str, str], BeforeValidator(_by_name)] = {"": ""}
    exercises: frozenset[int]

    @model_validator(mode="after")
    def _compiles(self) -> Self:
        for value in self.values.values():
            self._expression(value)
        return self

    def faults(self, root: Path) -> Iterator[tuple[str, Fault]]:
        """Yield the path of the file with each fault in it."""
        for path in sorted(path for pattern in self.files for path in root.glob(pattern)):
            text = path.read_text(encoding="utf-8")
            for name, value in self.values.items():
                new = self.new.replace("{value}", value.replace("\\", r"\\"))
                for match in self._expression(value).finditer(text):
                    changed = text[: match.start()] + match.expand(new) + text[match.end() :]
                    group = match.group(self.named) if self.named else ""
                    what = ".".join(word(part) for part in (self.name, name, group) if part)
                    yield path.relative_to(root).as_posix(), Fault("", what, changed)

    def _expression(self, value: str) -> re.Pattern[str]:
        return re.compile(self.pattern.replace("{value}", value), re.MULTILINE)


class Equivalent(Model):
    """Mutants that break no promise, by a pattern of their names."""

    name: str
    why: str


class Plan(Model):
    """The content of plan.toml and equivalent.toml."""

    targets: tuple[Target, ...] = ()
    rules: tuple[Rule, ...] = ()
    equivalent: tuple[Equivalent, ...] = ()

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Return the plan in a folder. Raises ValueError where it cannot be read."""
        found = tomllib.loads((folder / "plan.toml").read_text(encoding="utf-8"))
        known = tomllib.loads((folder / "equivalent.toml").read_text(encoding="utf-8"))
        return cls.model_validate(found | known)

    def faults(self, root: Path) -> Iterator[tuple[Target | Rule, str, Fault]]:
        """Yield each fault with its file, and what asked for it. The same fault may come twice."""
        parts: tuple[Target | Rule, ...] = (*self.targets, *self.rules)
        for one in parts:
            for file, fault in one.faults(root):
                yield one, file, fault


def stem(file: str) -> str:
    """Return what a file goes by in the names of mutants."""
    path = PurePosixPath(file)
    return path.stem.lstrip(".") if path.stem != "__init__" else path.parent.name
