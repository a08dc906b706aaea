"""The axes of exercise 4: which failures, how often, with which bodies, of which endpoints, seen by whom."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

from chaos.llm import (
    Answer,
    Closed,
    EmptyObject,
    MalformedJson,
    NoChoices,
    RateLimited,
    Raw,
    Reset,
    Status,
    Step,
    Truncated,
    WrongContentType,
)
from exercises.exam.ex4_errors_and_retry.own_errors import OWN_ERRORS
from exercises.exam.ex4_errors_and_retry.planted import (
    DATE_AFTER,
    HEADERS,
    INTERNALS,
    LONG_RETRY_AFTER,
    RETRY_AFTER,
)
from lab.axes import Axes, Axis, plain

Failing = Callable[[str], Step]
"""Makes a step of the model's; an error's text holds the address that it is given."""


def status(code: int, **headers: str) -> Failing:
    """Return what makes the model fail with a status, and quote its internals."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda address: Status(code, INTERNALS, {**HEADERS, **named}, address)


def always(step: Step) -> Failing:
    return lambda _: step


def raw(name: str, body: str, content_type: str = "application/json") -> Failing:
    """Return what makes the model answer 200 with a body as it is."""
    return always(Raw(body.encode(), name, content_type=content_type))


def completion(choices: str) -> str:
    """Return the JSON of an answer that is whole but for its choices."""
    usage = '{"prompt_tokens": 12, "completion_tokens": 9, "total_tokens": 21}'
    return f'{{"id": "chatcmpl-7", "object": "chat.completion", "created": 1764200000, "model": "m", "choices": {choices}, "usage": {usage}}}'


def _without_usage(usage: str = "") -> str:
    """Return the JSON of an answer that does not say what it has used."""
    choice = '{"index": 0, "message": {"role": "assistant", "content": "Paris."}, "finish_reason": "stop"}'
    return (
        '{"id": "chatcmpl-7", "object": "chat.completion", "created": 1764200000, "model": "m", '
        f'"choices": [{choice}]{usage}}}'
    )


BROKEN: dict[str, Failing] = {
    **{str(code): status(code) for code in (500, 502, 503, 504)},
    "reset": always(Reset()),
    "closed": always(Closed()),
    "truncated": always(Truncated()),
}
"""Failures that may pass, as the model shows them: 5xx answers, and connections that break before or in an answer."""

REFUSED = "refused"
TRANSIENT: Axis[Failing | None] = Axis("kinds of failure that pass", {**BROKEN, REFUSED: None})
"""A refused connection is the proxy's doing, and has no step."""
TIMES = Axis("numbers of failures", {"once": 1, "twice": 2})
LASTING = Axis("kinds of failure that last", BROKEN)

CLIENT_ERRORS = Axis("client errors", {str(code): code for code in (400, 401, 403, 404, 422)})
BODIES: Axis[Callable[[int, str], Step]] = Axis(
    "bodies of a refusal",
    {
        "JSON": lambda code, address: Status(code, INTERNALS, HEADERS, address),
        "HTML": lambda code, address: Raw(
            f"<html><body><h1>{code}</h1><pre>{INTERNALS} {address}</pre></body></html>".encode(),
            f"status {code}",
            code,
            "text/html",
            HEADERS,
        ),
        "text": lambda code, address: Raw(
            f"{INTERNALS} {address}".encode(), f"status {code}", code, "text/plain", HEADERS
        ),
        "nothing": lambda code, _: Raw(b"", f"status {code}", code, headers=HEADERS),
    },
)
CLIENT_ROUNDS = 2

MALFORMED: Axis[Failing] = Axis(
    "malformed answers",
    {
        "no JSON": raw("no-json", f"upstream says {INTERNALS}"),
        "cut JSON": always(MalformedJson()),
        "HTML": always(WrongContentType()),
        "no body": raw("no-body", ""),
        "{}": always(EmptyObject()),
        "[]": raw("array", "[]"),
        "a number": raw("number", "42"),
        "a text": raw("text", '"ok"'),
        "null": raw("null", "null"),
        "choices []": always(NoChoices()),
        "choices null": raw("choices-null", completion("null")),
        "no message": raw("no-message", completion('[{"index": 0, "finish_reason": "stop"}]')),
        "content null": raw(
            "content-null",
            completion(
                '[{"index": 0, "message": {"role": "assistant", "content": null}, "finish_reason": "stop"}]'
            ),
        ),
    },
)

INCOMPLETE: Axis[Failing] = Axis(
    "answers without a count",
    {
        "no usage": raw("no-usage", _without_usage()),
        "usage null": raw("usage-null", _without_usage(', "usage": null')),
    },
)

SECONDS, SECONDS_TWICE, LONG, BUSY = "seconds", "seconds twice", "two minutes", "503 with seconds"
RATE_LIMITS: Axis[Callable[[str], list[Step]]] = Axis(
    "rate limits",
    {
        SECONDS: lambda _: [RateLimited(RETRY_AFTER), Answer()],
        SECONDS_TWICE: lambda _: [RateLimited(RETRY_AFTER), RateLimited(RETRY_AFTER), Answer()],
        LONG: lambda _: [RateLimited(LONG_RETRY_AFTER)],
        "a date": lambda address: [status(429, retry_after=_date())(address), Answer()],
        "no Retry-After": lambda address: [status(429)(address), Answer()],
        "no number": lambda address: [status(429, retry_after="soon")(address), Answer()],
        BUSY: lambda address: [status(503, retry_after="2")(address), Answer()],
    },
)

LASTING_LIMIT = "lasting rate limit"
"""A 429 without a Retry-After that every call meets."""

MLFLOW_FAULTS = plain("faults of MLflow", ("refused", "hanging", "slow", "failing"))
ORDERS = Axis("orders", {"in sequence": False, "at once": True})

AXES: Axes = {
    "transient_recovers": (TRANSIENT, TIMES),
    "backs_off": (LASTING, TRANSIENT, TIMES),
    "client_errors_are_final": (CLIENT_ERRORS, BODIES),
    "failures_are_told_apart": (CLIENT_ERRORS, BODIES, MALFORMED, INCOMPLETE, LASTING, OWN_ERRORS),
    "errors_have_context": (OWN_ERRORS, CLIENT_ERRORS, MALFORMED, LASTING),
    "mlflow_down_costs_nothing": (MLFLOW_FAULTS, ORDERS),
    "retry_after_is_honoured": (RATE_LIMITS,),
    "errors_hide_internals": (OWN_ERRORS, CLIENT_ERRORS, BODIES, MALFORMED, LASTING),
}


def _date() -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=DATE_AFTER), usegmt=True)
