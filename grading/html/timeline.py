"""The timeline of an experiment: what happened when, in lanes, ready to be drawn.

Times become percentages of the width, so the drawing can be made wider without distorting its text. The number of
marks is bounded, however many events a history has.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeVar

from chaos.history import (
    Answer,
    Began,
    Call,
    Event,
    Exited,
    Failure,
    Fault,
    File,
    Given,
    History,
    Launched,
    Log,
    Phase,
    Planted,
    Ready,
    Reply,
    Signalled,
    Skipped,
    Socket,
    Stall,
    Tree,
)
from lab.reading import describe, excerpt, outcome

E = TypeVar("E", bound=Event)

ROW_HEIGHT: Final = 14
"""Pixels of one row of marks."""
LANE_GAP: Final = 8
AXIS_HEIGHT: Final = 46
"""Pixels above the lanes, for the phases, the seconds and the moments."""
MOST_ROWS: Final = 8
"""Rows of a lane; marks that find all of them taken overlap."""
MOST_MARKS: Final = 600
"""Marks of a lane, moments excepted."""
BINS: Final = 400
"""Marks of one kind that begin and end in the same bins of the width are drawn as one."""
MOST_TICKS: Final = 12
TEXT_LENGTH: Final = 120

_PREPARATION = (Began, Planted, Given, File, Tree, Stall, Skipped)
"""Comes before the service, which may have to wait long for its turn to start."""


@dataclass(frozen=True, slots=True)
class Mark:
    """Something in a lane, between two percentages of the width; it stands for `count` events alike."""

    event: int
    start: float
    width: float
    kind: str
    text: str
    row: int = 0
    count: int = 1


@dataclass(frozen=True, slots=True)
class Lane:
    """Marks of one sort, below each other in `rows`. `left_out` events are not drawn, because there are too many."""

    name: str
    top: int
    rows: int
    marks: tuple[Mark, ...]
    left_out: int

    @property
    def height(self) -> int:
        return self.rows * ROW_HEIGHT


@dataclass(frozen=True, slots=True)
class Band:
    """A phase of the experiment."""

    name: str
    start: float
    width: float


@dataclass(frozen=True, slots=True)
class Tick:
    """A number of seconds on the axis."""

    seconds: float
    at: float


@dataclass(frozen=True, slots=True)
class Timeline:
    """What a drawing needs; `height` in pixels, `seconds` from the first mark to the last."""

    bands: tuple[Band, ...]
    ticks: tuple[Tick, ...]
    lanes: tuple[Lane, ...]
    moments: tuple[Mark, ...]
    height: int
    seconds: float


@dataclass(frozen=True, slots=True)
class _Scale:
    begin: float
    seconds: float

    def at(self, t: float) -> float:
        """Return the place of a time in percent of the width."""
        return round(100 * min(max((t - self.begin) / self.seconds, 0.0), 1.0), 2)

    def mark(self, event: int, begin: float, end: float, kind: str, text: str) -> Mark:
        start = self.at(begin)
        return Mark(event, start, round(self.at(end) - start, 2), kind, text)

    def ticks(self) -> tuple[Tick, ...]:
        step = next(one for one in _steps() if self.seconds / one <= MOST_TICKS)
        first = int(self.begin / step) + 1
        last = int((self.begin + self.seconds) / step)
        return tuple(
            Tick(round(number * step, 3), self.at(number * step)) for number in range(first, last + 1)
        )


def draw(history: History, moments: Collection[int] = ()) -> Timeline:
    """Lay a history out. `moments` are the numbers of the events that verdicts rest on; each is marked."""
    scale = _scale(history)
    numbers = {id(event): number for number, event in enumerate(history.events)}
    lanes = _placed(_lanes(history, scale, numbers))
    height = lanes[-1].top + lanes[-1].height + LANE_GAP if lanes else AXIS_HEIGHT
    marked = (
        scale.mark(number, event.t, event.t, "moment", excerpt(describe(history, event), TEXT_LENGTH))
        for number, event in enumerate(history.events)
        if number in moments
    )
    return Timeline(
        bands=tuple(_bands(history, scale)),
        ticks=scale.ticks(),
        lanes=lanes,
        moments=tuple(marked),
        height=height,
        seconds=scale.seconds,
    )


def answer_kind(end: Answer | Failure | None) -> str:
    """Return how an answer is coloured."""
    match end:
        case Answer() if end.status < 400:
            return "good"
        case Answer() if end.status < 500:
            return "refused"
        case Answer():
            return "error"
        case Failure():
            return "lost"
        case None:
            return "open"


def _scale(history: History) -> _Scale:
    times = [event.t for event in history.events if not isinstance(event, _PREPARATION)]
    begin, end = (min(times), max(times)) if times else (0.0, 0.0)
    return _Scale(begin, max(end - begin, 0.001))


def _steps() -> Iterator[float]:
    step = 0.001
    while True:
        yield from (step, 2 * step, 5 * step)
        step *= 10


def _bands(history: History, scale: _Scale) -> Iterator[Band]:
    phases = history.of(Phase)
    ends = [*(phase.t for phase in phases[1:]), scale.begin + scale.seconds]
    for phase, end in zip(phases, ends, strict=False):
        start = scale.at(phase.t)
        yield Band(phase.name, start, round(scale.at(end) - start, 2))


def _lanes(history: History, scale: _Scale, numbers: dict[int, int]) -> Iterator[tuple[str, list[Mark]]]:
    end = scale.begin + scale.seconds
    yield "service", list(_service(history, scale))
    for upstream, events in _by_upstream(history.of(Fault), lambda fault: fault.upstream):
        yield f"faults of {upstream}", list(_faults(events, end, scale, numbers))
    yield "requests", list(_requests(history, end, scale, numbers))
    for upstream, calls in _by_upstream(history.of(Call), lambda call: call.upstream):
        yield f"calls to {upstream}", list(_calls(history, calls, end, scale, numbers))
    yield "log lines", list(_log(history, scale))
    yield "lab stalled", list(_stalls(history, scale))


def _by_upstream(events: Iterable[E], name: Callable[[E], str]) -> list[tuple[str, list[E]]]:
    sorted_out: dict[str, list[E]] = {}
    for event in events:
        sorted_out.setdefault(name(event), []).append(event)
    return list(sorted_out.items())


def _service(history: History, scale: _Scale) -> Iterator[Mark]:
    for number, event in enumerate(history.events):
        match event:
            case Launched():
                kind, text = "start", f"{event.instance} started"
            case Ready():
                kind, text = "good", f"{event.instance} gave its first answer"
            case Signalled():
                kind, text = "signal", f"{event.signal} to {event.instance}"
            case Exited():
                kind, text = "exit", f"{event.instance} exited with {event.code}"
            case Socket():
                kind, text = "socket", f"connection {event.label}: {event.state}"
            case _:
                continue
        yield scale.mark(number, event.t, event.t, kind, text)


def _faults(faults: Sequence[Fault], end: float, scale: _Scale, numbers: dict[int, int]) -> Iterator[Mark]:
    """Yield each fault from when it is switched on until it is switched off, by itself or with all others."""
    on: dict[str, Fault] = {}
    for fault in faults:
        if fault.on and fault.name != "heal":
            on.setdefault(fault.name, fault)
            continue
        ended = list(on) if fault.name == "heal" else [fault.name]
        for name in ended:
            if begun := on.pop(name, None):
                yield _fault(begun, fault.t, scale, numbers)
    for begun in on.values():
        yield _fault(begun, end, scale, numbers)


def _fault(begun: Fault, end: float, scale: _Scale, numbers: dict[int, int]) -> Mark:
    text = f"{begun.name} of {begun.upstream} {begun.detail}".strip()
    return scale.mark(numbers[id(begun)], begun.t, end, "fault", text)


def _requests(history: History, end: float, scale: _Scale, numbers: dict[int, int]) -> Iterator[Mark]:
    for exchange in history.exchanges():
        request = exchange.request
        text = f"{request.method} {request.path} ({request.label}): {outcome(exchange.end)}"
        last = exchange.end or request
        until = exchange.end.t if exchange.end else end
        yield scale.mark(numbers[id(last)], request.t, until, answer_kind(exchange.end), text)


def _calls(
    history: History, calls: Sequence[Call], end: float, scale: _Scale, numbers: dict[int, int]
) -> Iterator[Mark]:
    replies = {reply.call: reply for reply in history.of(Reply)}
    for call in calls:
        reply = replies.get(call.call)
        text = f"{call.method} {call.path}: {_ended(reply)}" + (
            f" (script: {call.step})" if call.step else ""
        )
        until = reply.t if reply else end
        yield scale.mark(numbers[id(call)], call.t, until, _reply_kind(call, reply), text)


def _ended(reply: Reply | None) -> str:
    if reply is None:
        return "still open at the end"
    told = {
        "answered": f"answered {reply.status}",
        "broken": "broken off",
        "client-gone": "the service hung up",
    }
    return told[reply.outcome]


def _reply_kind(call: Call, reply: Reply | None) -> str:
    if not call.counted:
        return "aside"
    if reply is None:
        return "open"
    if reply.outcome != "answered":
        return "lost"
    return "error" if (reply.status or 0) >= 500 else "refused" if (reply.status or 0) >= 400 else "good"


def _log(history: History, scale: _Scale) -> Iterator[Mark]:
    for number, event in enumerate(history.events):
        if isinstance(event, Log):
            yield scale.mark(number, event.t, event.t, event.stream, excerpt(event.text, TEXT_LENGTH))


def _stalls(history: History, scale: _Scale) -> Iterator[Mark]:
    for number, event in enumerate(history.events):
        if isinstance(event, Stall) and event.t >= scale.begin:
            text = f"the lab got no processor for {event.seconds:.2f} s"
            yield scale.mark(number, event.t - event.seconds, event.t, "stall", text)


def _placed(lanes: Iterable[tuple[str, list[Mark]]]) -> tuple[Lane, ...]:
    placed: list[Lane] = []
    top = AXIS_HEIGHT
    for name, found in lanes:
        if not found:
            continue
        marks, rows = _in_rows(found)
        marks = _alike_as_one(marks)
        kept = marks[:: -(-len(marks) // MOST_MARKS)]
        left_out = sum(mark.count for mark in marks) - sum(mark.count for mark in kept)
        placed.append(Lane(name, top, rows, tuple(kept), left_out))
        top += placed[-1].height + LANE_GAP
    return tuple(placed)


def _in_rows(marks: Iterable[Mark]) -> tuple[list[Mark], int]:
    """Put each mark into the first row that is free, and points into the first; returns them with the number of rows."""
    free: list[float] = []
    placed = []
    for mark in sorted(marks, key=lambda one: one.start):
        end = mark.start + mark.width
        row = next((number for number, until in enumerate(free) if until <= mark.start), len(free))
        if mark.width == 0:
            row = 0
        elif row < MOST_ROWS:
            free[row : row + 1] = [end]
        else:
            row = min(range(MOST_ROWS), key=free.__getitem__)
            free[row] = max(free[row], end)
        placed.append(replace(mark, row=row))
    return placed, max(1, len(free))


def _alike_as_one(marks: Iterable[Mark]) -> list[Mark]:
    seen: dict[tuple[str, int, int, int], Mark] = {}
    for mark in marks:
        begin, end = (int(place * BINS / 100) for place in (mark.start, mark.start + mark.width))
        alike = (mark.kind, mark.row, begin, end)
        known = seen.get(alike)
        seen[alike] = replace(known, count=known.count + 1) if known else mark
    return list(seen.values())
