"""The chat endpoint."""

import logging
import re
from collections.abc import Iterator

import msgspec
from flask import Blueprint, Response, current_app, request

from src.core.errors import ApiError
from src.models.requests import ChatRequest
from src.models.responses import Usage
from src.services.pricing import cost_of
from src.services.providers import ProviderError

blueprint = Blueprint("chat", __name__, url_prefix="/api/v1")
decoder = msgspec.json.Decoder(ChatRequest)
log = logging.getLogger(__name__)
LARGEST_BODY = 16 * 1024 * 1024


def json_response(body: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(msgspec.json.encode(body), status=status, headers=headers, mimetype="application/json")


def parse(body: bytes) -> ChatRequest:
    """Decode and validate. Messages never quote what the caller sent."""
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        message, _, path = str(error).partition(" - at `$")
        message = re.sub(r"'.*'", "", message, flags=re.S).strip()
        field = path.rstrip("`").lstrip(".") or None
        if field is None and (named := re.search(r"`(\w+)`$|^(messages)\b", message)):
            field = named.group(1) or named.group(2)
        raise ApiError(422, "invalid_request", f"{field or 'body'}: {message}", where=field) from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise ApiError(400, "invalid_json", "The body is not JSON.") from None


@blueprint.post("/chat/completions")
def complete_chat() -> Response:
    gateway = current_app.extensions["gateway"]
    gateway.callers.admit(request.remote_addr or "unknown")
    if request.mimetype != "application/json":
        raise ApiError(415, "unsupported_media_type", "Send application/json.")
    body = request.get_data(cache=False)
    if len(body) > LARGEST_BODY:
        raise ApiError(413, "body_too_large", "The body is larger than 16 MiB.")
    chat = parse(body)
    if chat.max_tokens is not None and chat.max_tokens > gateway.settings.max_tokens_per_request:
        raise ApiError(422, "too_many_tokens", "max_tokens: more than this service allows", where="max_tokens")
    gateway.budget.check()
    if chat.stream:
        model, pieces = gateway.llm.stream(chat)
        response = Response(events(model, pieces, gateway.budget), mimetype="text/event-stream")
        return response
    answer = gateway.llm.complete(chat)
    gateway.budget.add(answer.cost_usd)
    log.info("completed cost_usd=%s", answer.cost_usd)
    return json_response(answer)


def events(model: str, pieces: Iterator[str | Usage], budget) -> Iterator[bytes]:
    try:
        for piece in pieces:
            if isinstance(piece, Usage):
                budget.add(cost_of(model, piece))
            else:
                yield b"data: " + msgspec.json.encode({"content": piece}) + b"\n\n"
    except (ProviderError, TimeoutError):
        yield b"data: " + msgspec.json.encode({"error": {"message": "the provider broke off"}}) + b"\n\n"
    else:
        yield b"data: [DONE]\n\n"
