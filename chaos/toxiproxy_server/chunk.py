"""What travels through a chain."""

from typing import NamedTuple

CHUNK_BYTES = 32 * 1024


class Chunk(NamedTuple):
    """Bytes that were read at once, at most `CHUNK_BYTES`, and the event loop's time at which they came in.

    Delays count from `received`, not from when a toxic gets round to the chunk, so that they do not add up.
    """

    data: memoryview
    received: float

    def split(self, size: int) -> tuple["Chunk", "Chunk"]:
        """The first `size` bytes, and the others; no byte is copied."""
        return Chunk(self.data[:size], self.received), Chunk(self.data[size:], self.received)
