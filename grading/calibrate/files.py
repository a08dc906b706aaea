"""The files of a corpus as data. What they say is told in corpus.py."""

import tomllib
from pathlib import Path
from typing import TypeVar

from pydantic import AliasChoices, BaseModel, ConfigDict, Field

from grading.errors import UsageError
from grading.runtime import RuntimeName


class Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Change(Model):
    """Text to be replaced in a file. A file without `old` is new, or replaced as a whole."""

    file: str
    old: str = ""
    new: str


class Mutant(Model):
    """A fault in the reference solution, with the criteria that must fail for it and no others.

    It is not graded in the runtimes of `hidden_in`, where it has no effect.
    """

    name: str
    story: str
    fails: tuple[str, ...]
    open: tuple[str, ...] = ()
    hidden_in: tuple[RuntimeName, ...] = ()
    changes: tuple[Change, ...]


class Mutants(Model):
    """A file of mutants."""

    mutants: tuple[Mutant, ...]


class Variation(Model):
    """A right service in another dress. It fails nothing, and nothing is `open`; a file may say so."""

    name: str
    story: str
    base: str | None = None
    fails: tuple[()] = ()
    open: tuple[()] = ()
    removed: tuple[str, ...] = ()
    changes: tuple[Change, ...]


class Variations(Model):
    """A file of variations, which may call them what files of mutants call theirs."""

    variations: tuple[Variation, ...] = Field(validation_alias=AliasChoices("variations", "mutants"))


class Expected(Model):
    """What a careful human gives a solution with parts undone, and why."""

    points: float
    fails: tuple[str, ...] = ()
    open: tuple[str, ...] = ()
    reason: str


class Half(Expected):
    """A solution with parts undone, as changes to a whole one."""

    base: str
    removed: tuple[str, ...] = ()
    changes: tuple[Change, ...]


class StaleChangeError(ValueError):
    """The text that a change replaces is not in the service, or more than once."""


M = TypeVar("M", bound=Model)


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


def read(path: Path, model: type[M]) -> M:
    """Return what a file holds; raises UsageError where that cannot be read."""
    try:
        return model.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except ValueError as error:
        raise UsageError(f"{path} cannot be read: {error}") from error
