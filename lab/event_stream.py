"""Reads server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html) in a recorded body."""

from dataclasses import dataclass

DONE = "[DONE]"
"""The data of the event that ends a stream of OpenAI's API."""


@dataclass(frozen=True, slots=True)
class Event:
    """An event of a stream: its data, and its type, which is "message" unless the stream names one."""

    data: str
    kind: str


def events(body: str) -> list[str]:
    """Return the data of each event of a stream."""
    return [event.data for event in typed_events(body)]


def typed_events(body: str) -> list[Event]:
    """Return the events of a stream. One without data is none."""
    found = []
    text = body.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    for block in text.split("\n\n"):
        lines = block.split("\n")
        data, kinds = (_values(lines, field) for field in ("data", "event"))
        if data:
            found.append(Event("\n".join(data), kinds[-1] if kinds else "message"))
    return found


def _values(lines: list[str], field: str) -> list[str]:
    begin = f"{field}:"
    return [line.removeprefix(begin).removeprefix(" ") for line in lines if line.startswith(begin)]
