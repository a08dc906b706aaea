"""The event list of an experiment: the events that verdicts rest on, what is around them, and what else there is room for."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from chaos.history import (
    Answer,
    Began,
    Cleared,
    Connection,
    Event,
    Exited,
    Failure,
    Fault,
    File,
    HarnessFault,
    History,
    Launched,
    Log,
    Overran,
    Phase,
    Planted,
    Probe,
    Ready,
    Reply,
    Request,
    Signalled,
    Skipped,
    Stall,
    Trace,
    Tried,
)
from lab.reading import describe, excerpt

MOST_ROWS: Final = 150
"""Events of one experiment in its list."""
AROUND: Final = 4
"""Events before and after a moment that are listed with it."""
TEXT_LENGTH: Final = 240

_TURNING_POINTS = (Phase, Fault, Launched, Ready, Signalled, Exited, HarnessFault, Overran, Skipped)
_ASIDE = (Connection, Trace, Tried, Stall)
_WORDS: dict[type[Event], str] = {
    Began: "{0.experiment}, seed {0.seed}, attempt {0.attempt}",
    Planted: "the service got a secret of this experiment's own in {0.name}",
    Request: "{0.method} {0.path} ({0.label})",
    Log: "{0.text}",
    Phase: "{0.name}",
    Launched: "{0.instance}: {0.command}",
    Ready: "{0.instance} gave its first answer",
    Signalled: "{0.signal} to {0.instance}",
    Reply: "call {0.call}: {0.outcome}",
    Connection: "connection {0.connection} to {0.upstream}: {0.state}",
    Probe: "the lab's own connection to {0.upstream}: {0.outcome}",
    Tried: "{0.axis}: {0.value}",
    File: "{0.path}: {0.text}",
    Cleared: "all that {0.instance} started is gone",
    Stall: "the lab got no processor for {0.seconds:.2f} s",
}
"""How an event is told where `describe` would list its fields."""


@dataclass(frozen=True, slots=True)
class Row:
    """An event of the list. `skipped` events before it are left out."""

    event: int
    t: float
    kind: str
    text: str
    skipped: int


def listed(history: History, moments: Collection[int] = ()) -> tuple[Row, ...]:
    """Return the events of a history that are worth reading most, at most `MOST_ROWS`, in their order."""
    ranks = [(_rank(number, event, moments), number) for number, event in enumerate(history.events)]
    chosen = sorted(number for _, number in sorted(ranks)[:MOST_ROWS])
    before = [-1, *chosen]
    return tuple(
        _row(history, number, number - previous - 1) for previous, number in zip(before, chosen, strict=False)
    )


def _rank(number: int, event: Event, moments: Collection[int]) -> int:
    if number in moments:
        return 0
    if any(abs(number - moment) <= AROUND for moment in moments):
        return 1
    if isinstance(event, _TURNING_POINTS):
        return 2
    if isinstance(event, Failure) or (isinstance(event, Answer) and event.status >= 400):
        return 3
    return 5 if isinstance(event, _ASIDE) else 4


def _row(history: History, number: int, skipped: int) -> Row:
    event = history.events[number]
    kind = str(getattr(event, "kind", "event"))
    return Row(number, event.t, kind, excerpt(_text(history, event), TEXT_LENGTH), skipped)


def _text(history: History, event: Event) -> str:
    words = _WORDS.get(type(event))
    if words:
        return words.format(event)
    return describe(history, event).removeprefix(f"{getattr(event, 'kind', '')} ")
