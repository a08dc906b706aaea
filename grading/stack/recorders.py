"""Recorders that write lines as events come and keep none: a stack may run for days."""

from collections.abc import Callable
from datetime import datetime
from typing import TextIO, TypeVar

from chaos.history import Call, Event, Log, Reply
from chaos.recorder import Recorder

E = TypeVar("E", bound=Event)


class LineRecorder(Recorder):
    """Writes the line that `line` makes of an event, where it makes one."""

    def __init__(self, file: TextIO, line: Callable[[Event], str | None]) -> None:
        super().__init__()
        self._file = file
        self._line = line

    def record(self, event: E, *, at: float | None = None) -> E:
        """Stamp an event and write its line."""
        stamped = event.model_copy(update={"t": round(self.now() if at is None else at, 6)})
        if (text := self._line(stamped)) is not None:
            self._file.write(f"{text}\n")
            self._file.flush()
        return stamped


def output(file: TextIO) -> Recorder:
    """A recorder of what a process prints, as it prints it."""
    return LineRecorder(file, lambda event: event.text if isinstance(event, Log) else None)


def calls(file: TextIO) -> Recorder:
    """A recorder of the calls that reach the upstreams, each with a line when it comes and one when it ends.

    Health probes and model lists are left out.
    """
    open_calls: dict[int, str] = {}

    def line(event: Event) -> str | None:
        if isinstance(event, Call) and event.counted:
            open_calls[event.call] = event.upstream
            return f"{_now()} {event.upstream:7} call {event.call}: {event.method} {event.path}"
        if isinstance(event, Reply) and event.call in open_calls:
            ended = f"{event.outcome} {event.status or ''}".rstrip()
            return f"{_now()} {open_calls.pop(event.call):7} call {event.call}: {ended}"
        return None

    return LineRecorder(file, line)


def _now() -> str:
    return datetime.now().astimezone().isoformat(timespec="milliseconds")
