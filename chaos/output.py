"""A program's output as events: cut into lines, and never more than a record can hold."""

import sys
from collections.abc import Callable, Mapping
from typing import Final, Literal

from chaos.history import Log
from chaos.recorder import Recorder

LINE_BYTES: Final = 64 * 1024
"""A record of an error with the values of local variables, as loguru and structlog write it, has some 25 KB."""
OUTPUT_BYTES: Final = 16 * 1024 * 1024
OUTPUT_LINES: Final = 50_000
TOO_MUCH_OUTPUT: Final = f"printed more than {OUTPUT_BYTES // 2**20} MiB or {OUTPUT_LINES} lines"

Stream = Literal["stdout", "stderr"]


class Output:
    """Records what a program prints; `flooded` is called once it has printed too much, and nothing is recorded then.

    One that is meant to run `endless`ly, with a recorder that keeps nothing, may print as much as it likes.
    """

    def __init__(
        self, recorder: Recorder, instance: str, flooded: Callable[[], None], *, endless: bool = False
    ) -> None:
        self._recorder = recorder
        self._instance = instance
        self._flooded = flooded
        self._bytes_left = sys.maxsize if endless else OUTPUT_BYTES
        self._lines_left = sys.maxsize if endless else OUTPUT_LINES
        self._at: float | None = None
        self._splitters: Mapping[Stream, LineSplitter] = {
            "stdout": LineSplitter(lambda text, cut: self._log("stdout", text, cut)),
            "stderr": LineSplitter(lambda text, cut: self._log("stderr", text, cut)),
        }

    @property
    def is_too_much(self) -> bool:
        """Whether more was printed than is recorded."""
        return self._bytes_left < 0 or self._lines_left < 0

    def feed(self, stream: Stream, data: bytes, at: float | None = None) -> None:
        """Take what was printed, at `at` seconds of the recorder's clock or else now."""
        self._bytes_left -= len(data)
        if self.is_too_much:
            self._flooded()
        else:
            self._at = at
            self._splitters[stream].feed(data)

    def end(self, stream: Stream) -> None:
        """Record the last line if it had no newline."""
        self._splitters[stream].end()

    def _log(self, stream: Stream, text: str, cut: bool) -> None:  # noqa: FBT001
        self._lines_left -= 1
        if self._lines_left < 0:
            self._flooded()
        else:
            self._recorder.record(
                Log(instance=self._instance, stream=stream, text=text, cut=cut), at=self._at
            )


class LineSplitter:
    """Cuts a byte stream into lines of text of at most `LINE_BYTES` bytes; what is over is left out."""

    def __init__(self, emit: Callable[[str, bool], None]) -> None:
        self._emit = emit
        self._line = bytearray()
        self._cut = False

    def feed(self, data: bytes) -> None:
        *ended, rest = data.split(b"\n")
        for part in ended:
            self._append(part)
            self._flush()
        self._append(rest)

    def end(self) -> None:
        """Emit the last line if it had no newline."""
        if self._line:
            self._flush()

    def _append(self, part: bytes) -> None:
        room = LINE_BYTES - len(self._line)
        self._line += part[:room]
        self._cut = self._cut or len(part) > room

    def _flush(self) -> None:
        self._emit(self._line.decode(errors="replace").rstrip("\r"), self._cut)
        self._line.clear()
        self._cut = False
