"""What the scripted LLM can do with one call: answer it, or fail it in one particular way."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from chaos.http_server import Responder
from chaos.keys import expected_answer
from chaos.llm.completion import (
    DONE,
    Chat,
    Completion,
    as_json,
    chunk,
    chunks,
    envelope,
    event,
    tokens,
    whole,
)

Outcome = Literal["answered", "broken"]

_NOTHING_ASKED = "There is nothing on record for this question."
_TOKENS_PER_MESSAGE = 4
_JSON = ("content-type", "application/json")
_EVENTS = ("content-type", "text/event-stream; charset=utf-8")

# What LiteLLM calls a failure with this status, and what it says of it.
_ERRORS = {
    400: ("invalid_request_error", "litellm.BadRequestError: the request was rejected by the model provider"),
    401: ("auth_error", "litellm.AuthenticationError: incorrect API key provided"),
    403: ("permission_denied", "litellm.PermissionDeniedError: access to this model is denied"),
    404: ("not_found_error", "litellm.NotFoundError: the model does not exist"),
    408: ("timeout_error", "litellm.Timeout: the model provider timed out"),
    422: ("invalid_request_error", "litellm.UnprocessableEntityError: the request could not be processed"),
    429: ("throttling_error", "litellm.RateLimitError: rate limit reached for requests"),
    503: ("service_unavailable", "litellm.ServiceUnavailableError: the model is overloaded"),
    504: ("timeout_error", "litellm.Timeout: the gateway timed out"),
}
_OTHER_ERROR = ("internal_server_error", "litellm.InternalServerError: the model provider failed")


@dataclass(frozen=True, slots=True)
class Turn:
    """One chat call: what it asks for, its number, and the means to answer it."""

    chat: Chat
    call: int
    responder: Responder

    def completion(self, content: str | None = None, usage: tuple[int, int] | None = None) -> Completion:
        """Return an answer of `content`, by default what `expected_answer` says for the prompt's key.

        It reports `usage`, its input and output tokens, by default what they count to.
        """
        if content is None:
            content = _NOTHING_ASKED if self.chat.key is None else expected_answer(self.chat.key)
        counted = _TOKENS_PER_MESSAGE + tokens(self.chat.prompt), tokens(content)
        return Completion(self.chat, self.call, content, *(usage or counted))


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
            await turn.responder.send(200, whole(answer), headers=[_JSON, *headers])
            return "answered"
        await turn.responder.start(200, headers=[_EVENTS, *headers])
        for piece in [*chunks(answer), DONE]:
            await turn.responder.write(piece)
        await turn.responder.finish()
        return "answered"


@dataclass(frozen=True, slots=True)
class Status:
    """Fail with an HTTP status and LiteLLM's error body; `detail` is added to its message as it is."""

    code: int
    message: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    detail: str = ""

    @property
    def name(self) -> str:
        return f"status {self.code}"

    async def play(self, turn: Turn) -> Outcome:
        kind, usual = _ERRORS.get(self.code, _OTHER_ERROR)
        message = f"{self.message or usual} {self.detail}".rstrip()
        body = {"error": {"message": message, "type": kind, "param": None, "code": str(self.code)}}
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
        await turn.responder.start(200, headers=[_EVENTS if turn.chat.stream else _JSON])
        dripped = 0.0
        while self.total is None or dripped < self.total:
            await turn.responder.write(drop)
            await turn.responder.sleep(self.interval)
            dripped += self.interval
        await turn.responder.write(end + _whole(turn))
        await turn.responder.finish()
        return "answered"


@dataclass(frozen=True, slots=True)
class MalformedJson:
    """Answer 200 with a body that breaks off inside its JSON, though the transfer is complete."""

    name: str = field(default="malformed-json", init=False)

    async def play(self, turn: Turn) -> Outcome:
        if turn.chat.stream:
            choice = {"index": 0, "delta": {"content": "x"}, "finish_reason": None}
            await _send(turn, _half(chunk(turn.completion(), [choice])) + b"\n\n" + DONE)
        else:
            await _send(turn, _half(whole(turn.completion())))
        return "answered"


@dataclass(frozen=True, slots=True)
class EmptyObject:
    """Answer 200 with `{}`."""

    name: str = field(default="empty-object", init=False)

    async def play(self, turn: Turn) -> Outcome:
        await _send(turn, event({}) + DONE if turn.chat.stream else as_json({}))
        return "answered"


@dataclass(frozen=True, slots=True)
class NoChoices:
    """Answer 200 with an empty list of choices."""

    name: str = field(default="no-choices", init=False)

    async def play(self, turn: Turn) -> Outcome:
        answer = turn.completion()
        body = {**envelope(answer, "chat.completion"), "choices": []}
        await _send(turn, chunk(answer, []) + DONE if turn.chat.stream else as_json(body))
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
    """Send half of the answer and end it as if that were all: for HTTP whole, but without `[DONE]`."""

    name: str = field(default="broken-stream", init=False)

    async def play(self, turn: Turn) -> Outcome:
        await turn.responder.start(200, headers=[_EVENTS if turn.chat.stream else _JSON])
        await turn.responder.write(_first_half(turn))
        await turn.responder.finish()
        return "broken"


@dataclass(frozen=True, slots=True)
class Reset:
    """Break the connection (RST) once the request is read."""

    name: str = field(default="reset", init=False)

    async def play(self, turn: Turn) -> Outcome:
        turn.responder.reset()
        return "broken"


def _whole(turn: Turn) -> bytes:
    answer = turn.completion()
    return b"".join([*chunks(answer), DONE]) if turn.chat.stream else whole(answer)


def _half(body: bytes) -> bytes:
    return body[: len(body) // 2]


def _first_half(turn: Turn) -> bytes:
    if not turn.chat.stream:
        return _half(_whole(turn))
    events = chunks(turn.completion())
    return b"".join(events[: len(events) // 2])


async def _send(turn: Turn, body: bytes) -> None:
    await turn.responder.send(200, body, headers=[_EVENTS if turn.chat.stream else _JSON])


async def _begin(turn: Turn) -> None:
    """Send the head of a whole answer and half of its body."""
    length = None if turn.chat.stream else len(_whole(turn))
    await turn.responder.start(200, headers=[_EVENTS if turn.chat.stream else _JSON], length=length)
    await turn.responder.write(_first_half(turn))
