"""Steps that send part of an answer, and then something else than the rest."""

import asyncio
from dataclasses import dataclass, field

from chaos.llm.steps import Outcome, Status, Turn, half


@dataclass(frozen=True, slots=True)
class Truncated:
    """Promise a whole body, send half of it and close the connection."""

    name: str = field(default="truncated", init=False)

    async def play(self, turn: Turn) -> Outcome:
        await _begin(turn)
        turn.responder.close()
        return "broken"


@dataclass(frozen=True, slots=True)
class StalledStream:
    """Send half of the answer, then nothing more until the client is gone."""

    name: str = field(default="stalled-stream", init=False)

    async def play(self, turn: Turn) -> Outcome:
        await _begin(turn)
        await turn.responder.hang()


@dataclass(frozen=True, slots=True)
class BrokenStream:
    """Send half of the answer and end it as if that were all: for HTTP whole, but without the stream's closing."""

    name: str = field(default="broken-stream", init=False)

    async def play(self, turn: Turn) -> Outcome:
        first, _ = _halves(turn)
        await turn.start()
        await turn.responder.write(first)
        await turn.responder.finish()
        return "broken"


@dataclass(frozen=True, slots=True)
class Held:
    """Send half of the answer, wait until `release` is set, and send the rest; `broken` closes the connection instead.

    The first half has at least two words and never the answer's code. Of an answer that is not streamed, nothing is
    sent before `release`.
    """

    release: asyncio.Event
    broken: bool = False
    name: str = field(default="held", init=False)

    async def play(self, turn: Turn) -> Outcome:
        if not turn.chat.stream:
            await turn.responder.wait(self.release)
        rest = await _begin(turn)
        if turn.chat.stream:
            await turn.responder.wait(self.release)
        if self.broken:
            turn.responder.close()
            return "broken"
        await turn.responder.write(rest)
        await turn.responder.finish()
        return "answered"


@dataclass(frozen=True, slots=True)
class ErrorInStream:
    """Send half of the answer, then an error event as a provider does that fails in the middle.

    `code` gives the error its type and its usual message; `detail` is added to the message. A call that is not
    streamed fails with that status.
    """

    code: int = 500
    message: str | None = None
    detail: str = ""
    name: str = field(default="error-in-stream", init=False)

    async def play(self, turn: Turn) -> Outcome:
        if not turn.chat.stream:
            return await Status(self.code, self.message, detail=self.detail).play(turn)
        await _begin(turn)
        error = turn.dialect.error(self.code, self.message, self.detail)
        await turn.responder.write(turn.dialect.event(error))
        await turn.responder.finish()
        return "broken"


async def _begin(turn: Turn) -> bytes:
    """Send the head of a whole answer and half of its body; return the other half."""
    first, rest = _halves(turn)
    await turn.start(length=None if turn.chat.stream else len(first + rest))
    await turn.responder.write(first)
    return rest


def _halves(turn: Turn) -> tuple[bytes, bytes]:
    """Return the body of an answer in two parts; the first part of a stream has half of the words."""
    answer = turn.completion()
    if not turn.chat.stream:
        body = turn.body(answer)
        return half(body), body[len(half(body)) :]
    events = turn.stream(answer)
    middle = len(turn.dialect.opening(answer)) + len(answer.words) // 2
    return b"".join(events[:middle]), b"".join(events[middle:])
