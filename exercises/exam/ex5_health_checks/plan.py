"""Draws which dependency fails how in which step of an experiment.

Across the experiments of a run each dependency meets all kinds of failure but three, alone and in company.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from chaos.history import Upstream
from exercises.exam.ex5_health_checks.axes import BROKEN, SILENT
from exercises.exam.ex5_health_checks.readiness import DEPENDENCIES

Failures = Mapping[Upstream, str]
"""How each dependency that is down fails."""


@dataclass(frozen=True, slots=True)
class Step:
    """A state of the dependencies. It may be left out, if it `can_wait`, where a service shows every change late."""

    down: Failures
    can_wait: bool = False


class Plan:
    """What the experiments of one run do; the same for the same seed."""

    def __init__(self, seed: int) -> None:
        source = random.Random(f"{seed}/health checks")  # noqa: S311 - must be replayable
        self._order = source.sample(DEPENDENCIES, len(DEPENDENCIES))
        kinds = source.sample(list(BROKEN.values), len(BROKEN.values))
        # Each starts three further, so that never two fail alike at the same time, and what one misses others meet.
        self._kinds = {
            dependency: kinds[3 * place :] + kinds[: 3 * place]
            for place, dependency in enumerate(self._order)
        }
        self._silent = source.sample(list(SILENT.values), len(SILENT.values))
        # Where there is time for one only, it is not the one that took no connections.
        self._silent_order = self._order[1:] + self._order[:1]

    def broken_in_turn(self) -> Sequence[Step]:
        """Return each alone, each two together, then all: between two steps at least one recovers or fails."""
        first, second, third = self._order
        walk = [
            ([first], False),
            ([second, third], False),
            ([second], True),
            ([first, third], True),
            ([third], True),
            ([first, second], True),
            (self._order, False),
        ]
        kinds = {dependency: iter(self._kinds[dependency]) for dependency in self._order}
        return [Step({one: next(kinds[one]) for one in down}, can_wait) for down, can_wait in walk]

    def broken_at_rest(self) -> Sequence[Step]:
        """Return one step, and then the opposite: what was down is up, and what was up is down."""
        return self.broken_in_turn()[:2]

    def broken_still(self, part: int) -> Iterator[Step]:
        """Yield two steps in which each dependency fails once, as it has not in `broken_in_turn`; `part` is 0 or 1."""
        first, *others = self._order
        for down in (others, [first]):
            yield Step({one: self._kinds[one][4 + part] for one in down}, can_wait=True)

    def silent_in_turn(self) -> Iterator[Step]:
        """Yield each dependency alone, silent in one way."""
        for place, dependency in enumerate(self._silent_order):
            yield Step({dependency: self._silent[place % len(self._silent)]}, can_wait=place > 0)

    def silent_together(self) -> Step:
        """Return all of them, each silent in the other way."""
        return Step(
            {
                dependency: self._silent[(place + 1) % len(self._silent)]
                for place, dependency in enumerate(self._silent_order)
            }
        )

    def in_turn(self, kind: str) -> Iterator[Step]:
        """Yield each dependency alone, then all of them, failing in the same way."""
        for place, dependency in enumerate(self._order):
            yield Step({dependency: kind}, can_wait=place > 0)
        yield Step(dict.fromkeys(self._order, kind))
