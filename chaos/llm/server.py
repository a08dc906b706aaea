"""The stand-in's surface: chat calls of two APIs by script, and what else LiteLLM's proxy answers."""

import base64
import json
import struct
from collections.abc import Sequence
from typing import Any

from pydantic_core import to_json

from chaos.history import Call, Reply, Upstream
from chaos.http_server import HttpRequest, Responder
from chaos.keys import find_key
from chaos.llm import failures
from chaos.llm.by_model import chosen
from chaos.llm.chat import Chat, as_json, encodable, tokens
from chaos.llm.chat_completions import ChatCompletions
from chaos.llm.dialect import Dialect
from chaos.llm.failures import Failures
from chaos.llm.messages import Messages
from chaos.llm.steps import Answer, Step, Turn
from chaos.network import LOOPBACK, Network
from chaos.recorder import Recorder
from chaos.stand_in import StandIn
from chaos.vectors import MOST_CHARACTERS, vector

_CHATS: dict[str, Dialect] = {
    "/v1/chat/completions": ChatCompletions(),
    "/chat/completions": ChatCompletions(),
    "/v1/messages": Messages(),
}
_EMBEDDINGS = {"/v1/embeddings", "/embeddings"}
_DIMENSIONS = 1536
_MOST_TEXTS = 2048
"""In one request for embeddings, as in OpenAI's API."""
_ASKED_BYTES = 16 * 1024
_JSON = ("content-type", "application/json")


class Script:
    """Steps in their order; the last one repeats for ever."""

    def __init__(self, *steps: Step) -> None:
        if not steps:
            raise ValueError("a script has at least one step")
        self._steps = steps
        self._next = 0

    def advance(self) -> Step:
        """Return the step for the next call."""
        step = self._steps[min(self._next, len(self._steps) - 1)]
        self._next += 1
        return step


class ScriptedLLM(StandIn):
    """An upstream with OpenAI's API and Anthropic's Messages that does with each chat call what its script says.

    Every chat call, of either API, is recorded when it has arrived and when it has ended; everything else (models, health,
    embeddings) is recorded as not counted. Its `url` is the address without `/v1`.

    It lists `models`, and answers for any. With `controls`, whoever reaches it can have its next calls fail; see
    `chaos.llm.failures`. That is for demonstrations: where a service is graded, it must not script its own model.
    """

    product = "litellm"

    def __init__(
        self,
        recorder: Recorder,
        *,
        name: Upstream = "",
        models: Sequence[str] = (),
        host: str = "127.0.0.1",
        port: int = 0,
        network: Network = LOOPBACK,
        controls: bool = False,
    ) -> None:
        super().__init__(recorder, name=name, host=host, port=port, network=network)
        self._pages = _pages(models)
        self._default = Script(Answer())
        self._scripts: dict[str, Script] = {}
        self._failures = Failures() if controls else None
        self._pages_status: int | None = None
        self._pages_detail = ""

    def script(self, key: str, *steps: Step) -> None:
        """Set what calls with this key meet, one after the other, from now on; the last step repeats."""
        self._scripts[key] = Script(*steps)

    def default(self, *steps: Step) -> None:
        """Set what calls without a script of their own meet, one after the other whatever their keys; the last repeats."""
        self._default = Script(*steps)

    def fail_pages(self, status: int | None, detail: str = "") -> None:
        """Have everything that is no chat call fail with a status from now on; None ends that.

        `detail` is added to the message of the error as it is.
        """
        self._pages_status = status
        self._pages_detail = detail

    def calls(self, key: str | None = None) -> list[Call]:
        """The chat calls until now; with `key`, only its own."""
        return [call for call in self._journal.calls if call.counted and key in {None, call.key}]

    async def wait_for_calls(
        self, count: int, *, key: str | None = None, timeout: float = 10.0
    ) -> list[Call]:
        """Wait until `count` chat calls (of `key`, if given) have arrived since the start, and return all there are.

        Raises TimeoutError after `timeout` seconds.
        """

        def enough() -> list[Call] | None:
            calls = self.calls(key)
            return calls if len(calls) >= count else None

        return await self._journal.wait_for(enough, timeout)

    async def wait_for_replies(
        self, count: int, *, key: str | None = None, timeout: float = 10.0
    ) -> list[Reply]:
        """Wait until `count` chat calls (of `key`, if given) have ended: answered, broken off, or by losing the client.

        Raises TimeoutError after `timeout` seconds.
        """

        def enough() -> list[Reply] | None:
            numbers = {call.call for call in self.calls(key)}
            replies = [reply for reply in self._journal.replies if reply.call in numbers]
            return replies if len(replies) >= count else None

        return await self._journal.wait_for(enough, timeout)

    async def _serve(self, request: HttpRequest, responder: Responder) -> None:
        if request.method == "POST" and (dialect := _CHATS.get(request.path)):
            await self._chat(request, dialect, responder)
            return
        if self._failures and request.path == failures.PATH:
            status, body = self._failures.serve(request)
            await responder.send(status, b"" if body is None else as_json(body), headers=[_JSON])
            return
        call = self._journal.call(request, key=find_key(request.body), counted=False)
        with self._working():
            status, content = self._surface(request)
            body = to_json(content)  # writes a list of numbers five times as fast as json does
        await self._journal.answer(call, responder, status, body)

    def _surface(self, request: HttpRequest) -> tuple[int, Any]:
        """Answer what is no chat call, as LiteLLM's proxy does."""
        if self._pages_status is not None:
            message = f"the provider failed {self._pages_detail}".rstrip()
            return self._pages_status, {"error": {"message": message, "code": str(self._pages_status)}}
        if request.method in {"GET", "HEAD"} and request.path in self._pages:
            return 200, self._pages[request.path]
        if request.method == "POST" and request.path in _EMBEDDINGS:
            return _embeddings(_fields(request))
        return 404, {"detail": "Not Found"}

    async def _chat(self, request: HttpRequest, dialect: Dialect, responder: Responder) -> None:
        with self._working():
            chat = _read(request, dialect)
        script = self._default if chat.key is None else self._scripts.get(chat.key, self._default)
        step = chosen((self._failures and self._failures.advance()) or script.advance(), chat)
        call = self._journal.call(
            request,
            key=chat.key,
            step=step.name,
            model=chat.model or None,
            asked=request.body[:_ASKED_BYTES].decode(errors="replace"),
        )
        with self._journal.losing(call):
            turn = Turn(chat, call.call, dialect, responder)
            outcome = await step.play(turn)
        self._journal.reply(call, outcome, responder.status, usage=turn.usage)


def _pages(models: Sequence[str]) -> dict[str, Any]:
    """Return what LiteLLM's proxy answers to a GET, by path."""
    each = {
        model: {"id": model, "object": "model", "created": 1677610602, "owned_by": "openai"}
        for model in models
    }
    listed = {"object": "list", "data": list(each.values())}
    known = {"data": [{"model_name": model, "litellm_params": {}, "model_info": {}} for model in models]}
    return {
        **{f"{prefix}/models/{model}": one for prefix in ("", "/v1") for model, one in each.items()},
        "/model/info": known,
        "/v1/model/info": known,
        "/": "LiteLLM: RUNNING",
        "/v1/models": listed,
        "/models": listed,
        "/health/liveliness": "I'm alive!",
        "/health/liveness": "I'm alive!",
        "/health/readiness": {"status": "healthy", "db": "Not connected", "litellm_version": "1.106.0"},
        "/health": {
            "healthy_endpoints": [{"model": model} for model in models],
            "unhealthy_endpoints": [],
            "healthy_count": len(models),
            "unhealthy_count": 0,
        },
    }


def _read(request: HttpRequest, dialect: Dialect) -> Chat:
    """Return what a chat call asks for; what is missing or odd in its body is taken for its default."""
    fields = _fields(request)
    prompt = encodable(json.dumps(dialect.prompt(fields), ensure_ascii=False))
    options = fields.get("stream_options")
    return Chat(
        key=find_key(prompt) or find_key(request.body),
        model=encodable(str(fields.get("model") or "")),
        prompt=prompt,
        stream=fields.get("stream") is True,
        include_usage=isinstance(options, dict) and options.get("include_usage") is True,
    )


def _embeddings(fields: dict[str, Any]) -> tuple[int, Any]:
    """Answer with vectors that depend on their texts alone; texts that share words are near each other."""
    given = fields.get("input", "")
    texts = [str(text) for text in given[: _MOST_TEXTS + 1]] if isinstance(given, list) else [str(given)]
    if problem := _too_much(texts):
        error = {"message": problem, "type": "invalid_request_error", "param": "input", "code": None}
        return 400, {"error": error}
    size = fields.get("dimensions")
    dimensions = size if isinstance(size, int) and 0 < size <= _DIMENSIONS else _DIMENSIONS
    used = sum(tokens(text) for text in texts)
    vectors = [vector(text, dimensions) for text in texts]
    as_base64 = fields.get("encoding_format") == "base64"
    return 200, {
        "object": "list",
        "model": fields.get("model", ""),
        "data": [
            {"object": "embedding", "index": index, "embedding": _base64(one) if as_base64 else one}
            for index, one in enumerate(vectors)
        ],
        "usage": {"prompt_tokens": used, "total_tokens": used},
    }


def _too_much(texts: Sequence[str]) -> str:
    """Say why so many texts are not embedded; an empty string where they are."""
    if len(texts) > _MOST_TEXTS:
        return f"Invalid 'input': array too long. Expected an array with maximum length {_MOST_TEXTS}."
    if sum(map(len, texts)) > MOST_CHARACTERS:
        asked, most = (length // 4 for length in (sum(map(len, texts)), MOST_CHARACTERS))
        return f"Requested {asked} tokens, max {most} tokens per request"
    return ""


def _base64(vector: list[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()


def _fields(request: HttpRequest) -> dict[str, Any]:
    try:
        body = request.json()
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}
