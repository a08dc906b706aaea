"""Reads server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html) in a recorded body."""

DONE = "[DONE]"
"""The data of the event that ends a stream of OpenAI's API."""


def events(body: str) -> list[str]:
    """Return the data of each event of a stream."""
    found = []
    for block in body.replace("\r\n", "\n").split("\n\n"):
        lines = [line[5:].removeprefix(" ") for line in block.split("\n") if line.startswith("data:")]
        if lines:
            found.append("\n".join(lines))
    return found
