"""An assessment: a folder of exercises with the contract of a submission and the rules of its scoring."""

import importlib
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from pydantic import BaseModel, ConfigDict

from chaos.contract import Contract, ContractError
from lab.exercise import RUBRIC, Exercise
from lab.exercise import load as load_exercise
from lab.result import Bonus
from lab.scoring import Scoring

FILE = "assessment.toml"
CONTRACT = "contract.toml"

Read = Callable[[str], str | None]
"""Returns the text of a submission's file, by its path from the root; None where there is no such file."""


class Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class BonusRule(Model):
    """What brings bonus points: the module of the assessment that judges it, and the most that it brings."""

    module: str
    title: str
    file: str
    points: float


class Handout(Model):
    """What students receive beside the grader and the starter: paths from this repository's root."""

    title: str
    pages: tuple[str, ...] = ()


class AssessmentFile(Model):
    """The content of assessment.toml."""

    title: str
    scoring: Scoring
    bonus: BonusRule | None = None
    handout: Handout | None = None


class BonusCheck(Protocol):
    """The function `bonus` of a bonus rule's module."""

    def __call__(self, read: Read, exercises: Sequence[Exercise], rule: BonusRule) -> Bonus:
        """Return the points for what `read` finds in the submission."""


@dataclass(frozen=True, slots=True)
class Assessment:
    """What is asked, how it is scored, and what a submission is given. `folder` holds its pages and its starter."""

    name: str
    title: str
    folder: Path
    contract: Contract
    scoring: Scoring
    exercises: tuple[Exercise, ...]
    bonus_rule: BonusRule | None = None
    bonus_check: BonusCheck | None = None
    handout: Handout | None = None

    def bonus(self, read: Read) -> Bonus | None:
        """Return the bonus of a submission; None where the assessment has none."""
        if self.bonus_rule is None or self.bonus_check is None:
            return None
        return self.bonus_check(read, self.exercises, self.bonus_rule)

    def with_contract(self, contract: Contract) -> "Assessment":
        """Return the assessment for submissions with another contract.

        Raises ContractError where that lacks something which the assessment's experiments use.
        """
        own = self.contract
        for table, mine, theirs in (
            ("upstreams", own.upstreams.keys(), contract.upstreams.keys()),
            ("secrets", own.secrets.keys(), contract.secrets.keys()),
            ("users", own.users.keys(), contract.users.keys()),
            ("endpoints", own.endpoints.keys(), contract.endpoints.keys()),
        ):
            if missing := sorted(mine - theirs):
                raise ContractError(
                    f"The contract has no {table}.{missing[0]}, which the assessment '{self.name}' uses; add it."
                )
        for table, one, other in (("login", own.login, contract.login), ("ask", own.ask, contract.ask)):
            if one and not other:
                raise ContractError(
                    f"The contract has no [{table}], which the assessment '{self.name}' uses; add it."
                )
        return replace(self, contract=contract)


def load(folder: Path, package: str) -> Assessment:
    """Return the assessment in a folder, whose modules are in `package`; its name is the folder's.

    Raises ValueError where the folder holds none, or its parts do not fit together.
    """
    data = AssessmentFile.model_validate(tomllib.loads((folder / FILE).read_text(encoding="utf-8")))
    found = [
        load_exercise(path.parent, f"{package}.{path.parent.name}") for path in folder.glob(f"*/{RUBRIC}")
    ]
    check = None
    if data.bonus:
        check = importlib.import_module(f"{package}.{data.bonus.module}").bonus
    return Assessment(
        name=folder.name,
        title=data.title,
        folder=folder,
        contract=Contract.load(folder / CONTRACT),
        scoring=data.scoring,
        exercises=tuple(sorted(found, key=lambda exercise: exercise.number)),
        bonus_rule=data.bonus,
        bonus_check=check,
        handout=data.handout,
    )
