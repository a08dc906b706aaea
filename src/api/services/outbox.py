"""Lines that wait on disk until they are delivered, and that outlive the process.

Each process appends to a segment of its own, a file that it keeps locked:

    append() ──> active segment ── seal() ──> sealed segments ── delivered ──> removed
                                                   ↑
    adopt() ── segments of dead processes ─────────┘

The lock ends with the process, however it ends, so a segment that can be locked has lost its owner. An appended line is
in the kernel's cache when `append` returns: nothing that happens to the process takes it away. `sync` makes it safe from
what happens to the machine, and is the business of a background task: on the way of each answer it would cost
milliseconds.
"""

import fcntl
import os
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Self
from uuid import uuid4

SEGMENT_BYTES = 4 * 1024 * 1024
"""A full segment is sealed even if nothing can be delivered, so that delivered ones can be removed."""


class OutboxFullError(Exception):
    """Another line would exceed the outbox's size."""


class Segment:
    """A file of lines that this process has locked; its first `delivered` bytes are done with."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor = descriptor
        self._damaged = False
        self.size = os.fstat(descriptor).st_size
        self.lines = 0
        self.delivered = 0

    @classmethod
    def create(cls, folder: Path) -> Self:
        while True:
            path = folder / f"{uuid4().hex}.jsonl"
            segment = cls._lock(path, os.O_CREAT | os.O_EXCL)
            if segment is not None:  # another process may have taken it for a dead one's in between
                return segment

    @classmethod
    def take_over(cls, path: Path) -> Self | None:
        """Lock a segment whose owner is dead, and count its lines; None if its owner lives or it is gone."""
        try:
            segment = cls._lock(path, 0)
        except FileNotFoundError:
            return None
        if segment is not None:
            segment.count_lines()
        return segment

    @classmethod
    def _lock(cls, path: Path, flags: int) -> Self | None:
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND | flags, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(descriptor).st_nlink:
                return cls(path, descriptor)
        except BlockingIOError:
            pass
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
        return None

    def append(self, line: bytes) -> None:
        """Raises OSError if the disk does not take the whole line."""
        data = b"\n" * self._damaged + line + b"\n"
        written = os.write(self._descriptor, data)
        self.size += written
        if written < len(data):
            self._damaged = True
            raise OSError(f"the disk took {written} of {len(data)} bytes")
        self._damaged = False
        self.lines += 1

    def read(self, count: int) -> tuple[list[bytes], int]:
        """Return the next lines that are not delivered, at most `count`, and how many bytes they are."""
        os.lseek(self._descriptor, self.delivered, os.SEEK_SET)
        lines, size = [], 0
        with os.fdopen(os.dup(self._descriptor), "rb") as file:
            for line in file:
                lines.append(line.rstrip(b"\n"))
                size += len(line)
                if len(lines) == count:
                    break
        return lines, size

    def advance(self, lines: int, size: int) -> None:
        """Count lines as delivered."""
        self.lines -= lines
        self.delivered += size

    def sync(self) -> None:
        os.fdatasync(self._descriptor)

    def close(self) -> None:
        os.close(self._descriptor)

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)
        self.close()

    def count_lines(self) -> None:
        """Find out how many lines another process has left."""
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        self.lines = 0
        while chunk := os.read(self._descriptor, 1 << 20):
            self.lines += chunk.count(b"\n")


class Outbox:
    """`max_bytes` bounds what this process holds: its own segments and those that it has taken over.

    Nothing is made on disk before the first line.
    """

    def __init__(self, folder: Path, *, max_bytes: int, segment_bytes: int = SEGMENT_BYTES) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._segment_bytes = segment_bytes
        self._active: Segment | None = None
        self._sealed: deque[Segment] = deque()

    def append(self, line: bytes) -> None:
        """Raises OutboxFullError, or OSError if the disk does not take the line."""
        if self.size + len(line) + 1 > self._max_bytes:
            raise OutboxFullError(f"the outbox holds {self.size} bytes")
        if self._active is None:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._active = Segment.create(self._folder)
        self._active.append(line)
        if self._active.size >= self._segment_bytes:
            self.seal()

    def seal(self) -> None:
        """End the active segment, so that it can be delivered."""
        if self._active is not None:
            self._sealed.append(self._active)
            self._active = None

    def find_orphans(self) -> list[Segment]:
        """Lock the segments that dead processes left, the oldest first; hand them to `adopt`. May run in a thread."""
        try:
            paths = sorted(self._folder.glob("*.jsonl"), key=_modified)
        except OSError:
            return []
        return [segment for path in paths if (segment := Segment.take_over(path)) is not None]

    def adopt(self, orphans: list[Segment]) -> None:
        """Have segments delivered as one's own, and before one's own."""
        self._sealed.extendleft(reversed(orphans))

    @property
    def first(self) -> Segment | None:
        """The segment to deliver next."""
        return self._sealed[0] if self._sealed else None

    def remove_first(self) -> None:
        """Forget the segment that was delivered."""
        self._sealed.popleft().remove()

    @property
    def lines(self) -> int:
        """How many lines wait to be delivered."""
        return sum(segment.lines for segment in self._segments())

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return sum(segment.size for segment in self._segments())

    def sync(self) -> None:
        """Make what waits safe from a crash of the machine. May run in a thread."""
        for segment in list(self._segments()):
            segment.sync()

    def close(self) -> None:
        """Let go of all segments; those that were not delivered are another process's to take over."""
        for segment in self._segments():
            if segment.size == segment.delivered:
                segment.remove()
            else:
                segment.close()
        self._active = None
        self._sealed.clear()

    def _segments(self) -> Iterator[Segment]:
        yield from self._sealed
        if self._active is not None:
            yield self._active


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
