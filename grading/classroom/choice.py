"""What a class is graded in: the assessment and its exercises, chosen in the process of each student."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from chaos.contract import Contract, ContractError
from grading.errors import UsageError
from lab.assessment import Assessment
from lab.exercise import Exercise
from lab.reading import excerpt

Load = Callable[..., Assessment]
"""Returns the assessment of a name, or the default one. Raises KeyError where there is none."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Chooses as `grading.score.Choose` says, the same for all: what a submission names itself does not count."""

    load: Load
    name: str | None = None
    numbers: tuple[int, ...] = ()
    contract: Path | None = None

    def __call__(self, _: str | None = None) -> tuple[Assessment, Sequence[Exercise]]:
        """Return the assessment and the exercises. Raises UsageError where there is no such one."""
        try:
            assessment = self.load(self.name) if self.name else self.load()
        except KeyError:
            raise UsageError(f"There is no assessment '{excerpt(self.name or '', 40)}'.") from None
        try:
            if self.contract:
                assessment = assessment.with_contract(Contract.load(self.contract))
        except ContractError as error:
            raise UsageError(str(error)) from error
        known = {one.number: one for one in assessment.exercises}
        if unknown := [number for number in self.numbers if number not in known]:
            raise UsageError(f"There is no exercise {unknown[0]}; there are {', '.join(map(str, known))}.")
        return assessment, [known[number] for number in sorted(set(self.numbers or known))]
