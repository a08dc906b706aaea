"""Reads from a readiness report which dependencies it calls healthy, whatever its layout.

A flag is found by its name: a key that contains the dependency's (`qdrant`, `litellm_status`), at any depth, or an
entry of a list with such a name. Its value is a boolean, a word, a status or an object that holds one of these.

A report may hold several things that could be the flag. One report alone is read by the plainest; where there are
reports of known states, by what has followed them (`Reader`).
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

from chaos.history import Upstream
from lab.flag_values import Candidate, candidates

Names = Mapping[Upstream, tuple[str, ...]]


@dataclass(frozen=True)
class Known:
    """A report that was made while these dependencies were down, and all others up."""

    body: str
    down: Collection[Upstream] = ()


def flags(body: str, names: Names) -> dict[Upstream, bool | None]:
    """Return whether a report calls each dependency healthy; None where it does not say, or not legibly.

    `names` are those under which each dependency may stand in it, the likeliest first.
    """
    return Reader(names).read(body)


@dataclass
class _Record:
    """How often something that could be a flag was right, with its dependency up and with it down."""

    seen: dict[bool, int] = field(default_factory=lambda: {True: 0, False: 0})
    right: dict[bool, int] = field(default_factory=lambda: {True: 0, False: 0})

    @property
    def score(self) -> float:
        """The share of the right ones among each: what never changes is right half of the time, however often it is."""
        return sum(self.right[up] / self.seen[up] for up in (True, False) if self.seen[up])


class Reader:
    """Reads reports by what in them has followed the dependencies so far: of each it takes what was right the most."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._records: dict[Upstream, dict[tuple[str, ...], _Record]] = {upstream: {} for upstream in names}

    @classmethod
    def taught(cls, names: Names, reports: Iterable[Known]) -> Self:
        """Return a reader that knows these reports."""
        reader = cls(names)
        for report in reports:
            reader.learn(report)
        return reader

    def learn(self, report: Known) -> None:
        """Note what agrees with the state that a report was made in."""
        for upstream, found in candidates(report.body, self._names).items():
            up = upstream not in report.down
            for one in found:
                record = self._records[upstream].setdefault(one.path, _Record())
                record.seen[up] += 1
                record.right[up] += one.healthy is up

    def read(self, body: str) -> dict[Upstream, bool | None]:
        """Return whether a report calls each dependency healthy; None where it does not say, or not legibly."""
        return {
            upstream: self._flag(upstream, found) for upstream, found in candidates(body, self._names).items()
        }

    def _flag(self, upstream: Upstream, found: Sequence[Candidate]) -> bool | None:
        records = self._records[upstream]
        best = min(found, key=lambda one: (-records.get(one.path, _Record()).score, one.rank), default=None)
        return best.healthy if best else None
