"""Server-sent events, cut out of whatever pieces the network delivers."""

import re

END = re.compile(rb"\r\n\r\n|\n\n|\r\r")


class EventReader:
    def __init__(self, limit: int = 8 * 2**20) -> None:
        self._buffer = bytearray()
        self._limit = limit

    def feed(self, piece: bytes) -> list[str]:
        """The data of every event that is complete by now."""
        self._buffer += piece
        events = []
        while match := END.search(self._buffer):
            block = bytes(self._buffer[: match.start()])
            del self._buffer[: match.end()]
            lines = re.split(rb"\r\n|\n|\r", block)
            data = [line[5:].removeprefix(b" ") for line in lines if line.startswith(b"data:")]
            if data:
                events.append(b"\n".join(data).decode("utf-8", "replace"))
        if len(self._buffer) > self._limit:
            raise ValueError("an event has no end")
        return events
