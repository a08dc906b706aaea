"""What the scripted LLM can do with one call: answer it, or fail it in one particular way."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from chaos.http_server import Headers, Responder
from chaos.keys import expected_answer
from chaos.llm.chat import Chat, Completion, as_json, tokens
from chaos.llm.dialect import Dialect

Outcome = Literal["answered", "broken"]

_NOTHING_ASKED = "There is nothing on record for this question."
_TOKENS_PER_MESSAGE = 4
_JSON = ("content-type", "application/json")
_EVENTS = ("content-type", "text/event-stream; charset=utf-8")


@dataclass(slots=True)
class Turn:
    """One chat call: what it asks for, its number, its API, and the means to answer it.

    `usage` are the input and output tokens that its answer reports, once there is one.
    """

    chat: Chat
    call: int
    dialect: Dialect
    responder: Responder
    usage: tuple[int, int] | None = None

    def completion(self, content: str | None = None, usage: tuple[int, int] | None = None) -> Completion:
        """Return an answer of `content`, by default what `expected_answer` says for the prompt's key.

        It reports `usage`, its input and output tokens, by default what they count to.
        """
        if content is None:
            content = _NOTHING_ASKED if self.chat.key is None else expected_answer(self.chat.key)
        counted = _TOKENS_PER_MESSAGE + tokens(self.chat.prompt), tokens(content)
        self.usage = usage or counted
        return Completion(self.chat, self.call, content, *self.usage)

    def stream(self, answer: Completion) -> list[bytes]:
        """Return the whole stream of an answer, event by event."""
        deltas = [self.dialect.delta(answer, word) for word in answer.words]
        return [
            *self.dialect.opening(answer),
            *deltas,
            *self.dialect.ending(answer),
            self.dialect.closing,
        ]

    def body(self, answer: Completion) -> bytes:
        """Return the whole body of an answer, streamed or not as the call asks."""
        return b"".join(self.stream(answer)) if self.chat.stream else self.dialect.whole(answer)

    async def start(self, *, length: int | None = None, headers: Headers = ()) -> None:
        """Send the head of an answer alone: with `length` as the promised size of its body, chunked without."""
        await self.responder.start(200, headers=[self._content_type, *headers], length=length)

    async def send(self, body: bytes, *, headers: Headers = ()) -> None:
        """Send a whole answer."""
        await self.responder.send(200, body, headers=[self._content_type, *headers])

    @property
    def _content_type(self) -> tuple[str, str]:
        return _EVENTS if self.chat.stream else _JSON


class Step(Protocol):
    """One behaviour. `play` returns how the call ended for the upstream, or raises ClientGone."""

    @property
    def name(self) -> str:
        """What a history calls this step."""

    async def play(self, turn: Turn) -> Outcome:
        """Deal with one call."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Answer after `delay` seconds with `content`, by default what `expected_answer` says for the prompt's key.

    `cost` in dollars is sent as LiteLLM does, in a header; None leaves it out. `usage` is the input and output tokens
    that the answer reports instead of the counted ones.
    """

    delay: float = 0.0
    content: str | None = None
    cost: float | None = 0.00042
    usage: tuple[int, int] | None = None
    name: str = field(default="answer", init=False)

    async def play(self, turn: Turn) -> Outcome:
        await turn.responder.sleep(self.delay)
        answer = turn.completion(self.content, self.usage)
        headers = [] if self.cost is None else [("x-litellm-response-cost", f"{self.cost:.8f}")]
        if not turn.chat.stream:
            await turn.send(turn.body(answer), headers=headers)
            return "answered"
        await turn.start(headers=headers)
        for piece in turn.stream(answer):
            await turn.responder.write(piece)
        await turn.responder.finish()
        return "answered"


@dataclass(frozen=True, slots=True)
class Status:
    """Fail with an HTTP status and the API's error body; `detail` is added to its message as it is."""

    code: int
    message: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    detail: str = ""

    @property
    def name(self) -> str:
        return f"status {self.code}"

    async def play(self, turn: Turn) -> Outcome:
        body = turn.dialect.error(self.code, self.message, self.detail)
        await turn.responder.send(self.code, as_json(body), headers=[_JSON, *self.headers.items()])
        return "answered"


@dataclass(frozen=True, slots=True)
class RateLimited:
    """Fail with 429 and a Retry-After of whole seconds, under its own name and under LiteLLM's for a provider's."""

    retry_after: int
    name: str = field(default="rate-limited", init=False)

    async def play(self, turn: Turn) -> Outcome:
        wait = str(self.retry_after)
        failure = Status(429, headers={"retry-after": wait, "llm_provider-retry-after": wait})
        return await failure.play(turn)


@dataclass(frozen=True, slots=True)
class Hang:
    """Take the request and never answer, until the client is gone."""

    name: str = field(default="hang", init=False)

    async def play(self, turn: Turn) -> Outcome:
        await turn.responder.hang()


@dataclass(frozen=True, slots=True)
class Drip:
    """Answer 200 at once, then send one meaningless byte every `interval` seconds.

    Time-outs that count from the last byte never strike. The real answer follows after `total` seconds; with None,
    never.
    """

    interval: float
    total: float | None = None
    name: str = field(default="drip", init=False)

    async def play(self, turn: Turn) -> Outcome:
        # Blanks before a JSON document, and a comment line in an event stream, mean nothing.
        drop, end = (b":", b"\n\n") if turn.chat.stream else (b" ", b"")
        await turn.start()
        dripped = 0.0
        while self.total is None or dripped < self.total:
            await turn.responder.write(drop)
            await turn.responder.sleep(self.interval)
            dripped += self.interval
        await turn.responder.write(end + turn.body(turn.completion()))
        await turn.responder.finish()
        return "answered"


@dataclass(frozen=True, slots=True)
class After:
    """Do nothing for `seconds`, then what `step` does: an outage that is slow to show."""

    seconds: float
    step: Step

    @property
    def name(self) -> str:
        return f"{self.step.name} after {self.seconds:g} s"

    async def play(self, turn: Turn) -> Outcome:
        await turn.responder.sleep(self.seconds)
        return await self.step.play(turn)


@dataclass(frozen=True, slots=True)
class MalformedJson:
    """Answer 200 with a body that breaks off inside its JSON, though the transfer is complete."""

    name: str = field(default="malformed-json", init=False)

    async def play(self, turn: Turn) -> Outcome:
        answer = turn.completion()
        if turn.chat.stream:
            broken = half(turn.dialect.delta(answer, "x")) + b"\n\n" + turn.dialect.closing
        else:
            broken = half(turn.dialect.whole(answer))
        await turn.send(broken)
        return "answered"


@dataclass(frozen=True, slots=True)
class EmptyObject:
    """Answer 200 with `{}`."""

    name: str = field(default="empty-object", init=False)

    async def play(self, turn: Turn) -> Outcome:
        events = turn.dialect.event({}) + turn.dialect.closing
        await turn.send(events if turn.chat.stream else as_json({}))
        return "answered"


@dataclass(frozen=True, slots=True)
class NoChoices:
    """Answer 200 with an empty list of choices, or of content."""

    name: str = field(default="no-choices", init=False)

    async def play(self, turn: Turn) -> Outcome:
        answer = turn.completion()
        if turn.chat.stream:
            await turn.send(b"".join([*turn.dialect.stream_without_choices(answer), turn.dialect.closing]))
        else:
            await turn.send(turn.dialect.without_choices(answer))
        return "answered"


@dataclass(frozen=True, slots=True)
class WrongContentType:
    """Answer 200 with an HTML page, as a captive portal or a misrouted proxy does."""

    name: str = field(default="wrong-content-type", init=False)

    async def play(self, turn: Turn) -> Outcome:
        page = (
            b"<!DOCTYPE html><html><head><title>Welcome</title></head><body><h1>It works!</h1></body></html>"
        )
        await turn.responder.send(200, page, headers=[("content-type", "text/html; charset=utf-8")])
        return "answered"


@dataclass(frozen=True, slots=True)
class Reset:
    """Break the connection (RST) once the request is read."""

    name: str = field(default="reset", init=False)

    async def play(self, turn: Turn) -> Outcome:
        turn.responder.reset()
        return "broken"


def half(body: bytes) -> bytes:
    """Return the first half of `body`."""
    return body[: len(body) // 2]
