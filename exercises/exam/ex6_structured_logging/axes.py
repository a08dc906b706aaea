"""How far the promises of exercise 6 reach: the endpoints, requests, ids, secrets and troubles that its experiments try."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from chaos.llm import (
    Answer,
    EmptyObject,
    MalformedJson,
    NoChoices,
    RateLimited,
    Reset,
    Status,
    Step,
    WrongContentType,
)
from exercises.exam.ex6_structured_logging import careless, planted
from exercises.exam.ex6_structured_logging.careless import Careless
from exercises.exam.ex6_structured_logging.prints import KINDS
from lab.axes import Axes, Axis, plain


@dataclass(frozen=True, slots=True)
class Way:
    """A way to use an endpoint; without a `method` by its own, without an `origin` not from a browser."""

    method: str = ""
    bearer: Literal["own", "none", "forged"] = "own"
    body: bytes = b""
    origin: Literal["", "allowed", "foreign"] = ""
    headers: Mapping[str, str] = field(default_factory=dict)


_PREFLIGHT = {
    "access-control-request-method": "POST",
    "access-control-request-headers": "authorization,content-type,x-request-id",
}

ENDPOINTS: Axis[str] = Axis(
    "endpoints",
    {
        "alive": "GET",
        "readiness": "GET",
        "me": "GET",
        "models": "GET",
        "v1_models": "GET",
        "metrics": "GET",
        "cache_stats": "GET",
        "cache_clear": "DELETE",
        "login": "POST",
        "ask": "POST",
        "unknown": "GET",
    },
)
"""The contract's endpoints by name, with their methods, and a path that does not exist."""

WAYS: Axis[Way] = Axis(
    "ways to ask",
    {
        "without a token": Way(bearer="none"),
        "with a token that is none": Way(bearer="forged"),
        "with another method": Way(method="PATCH"),
        "with an empty object": Way(body=b"{}"),
        "with broken JSON": Way(body=b'{"model": "gro'),
        "for the head": Way(method="HEAD"),
        "as a preflight": Way(method="OPTIONS", bearer="none", origin="allowed", headers=_PREFLIGHT),
        "as a foreign preflight": Way(method="OPTIONS", bearer="none", origin="foreign", headers=_PREFLIGHT),
    },
)

OUTCOMES: Axis[tuple[str, str]] = Axis(
    "outcomes",
    {
        "a good answer": ("ask", ""),
        "who one is": ("me", ""),
        "no such path": ("unknown", ""),
        "no token": ("ask", "without a token"),
        "no such method": ("ask", "with another method"),
        "no valid body": ("ask", "with an empty object"),
        "a preflight": ("ask", "as a preflight"),
    },
)
"""What requests with an id of the caller's end in: the endpoint and the way to ask that bring it about."""

KEPT_IDS: Axis[Callable[[str], str]] = Axis("sane ids", planted.KEPT)
ODD_IDS: Axis[Callable[[str], str]] = Axis("ids that may be kept", planted.ODD)
HOSTILE_IDS: Axis[Callable[[str], bytes]] = Axis("hostile ids", planted.HOSTILE)
PLACES: Axis[Callable[[str], Careless]] = Axis("places of secrets", careless.PLACES)

RUBBISH: Axis[Step] = Axis(
    "kinds of rubbish from the model",
    {
        "malformed JSON": MalformedJson(),
        "an empty object": EmptyObject(),
        "no choices": NoChoices(),
        "a page of HTML": WrongContentType(),
    },
)
REFUSALS: Axis[Step] = Axis(
    "refusals of the model", {f"status {code}": Status(code) for code in (400, 401, 403, 404, 422)}
)
PASSING: Axis[Step] = Axis(
    "failures that pass",
    {
        "status 500": Status(500),
        "status 503": Status(503),
        "a reset": Reset(),
        "a rate limit": RateLimited(retry_after=1),
    },
)

CROWD: Axis[tuple[int, tuple[Step, ...]]] = Axis(
    "kinds of requests at once",
    {
        "answered": (21, (Answer(delay=0.2),)),
        "answered slowly": (11, (Answer(delay=0.8),)),
        "refused by the model": (3, (Status(400),)),
        # At most four failing calls in a row: fewer than open a breaker.
        "rubbish": (1, (EmptyObject(),)),
        "retried after 503": (2, (Status(503), Answer())),
        "retried after a reset": (1, (Reset(), Answer())),
        "unknown path": (6, ()),
        "model list": (5, ()),
    },
)
"""How many of each there are, and what the model does; without a step they are none of the model's."""

BYTES: Axis[bytes] = Axis(
    "bytes that are no request",
    {
        "a TLS handshake": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(32)) + b" \r\n\r\n",
        "no HTTP": b"hello there\r\n\r\n",
        "a version that is none": b"GET /health HTTP/9.9\r\nhost: x\r\n\r\n",
        "half a head": b"GET /health HTTP/1.1\r\nhost: x\r\nx-half",
        "a WebSocket": b"GET /health HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n"
        b"sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    },
)

CALLERS: Axis[str] = plain("troubles with callers", ("it hangs up", "it sends half a body"))

TROUBLES: Axis[str] = plain(
    "troubles",
    (
        "Qdrant and MLflow refuse connections",
        "Qdrant and MLflow hang",
        "the model refuses connections",
        "SIGTERM with MLflow hanging",
        "SIGTERM with MLflow refusing and a request in flight",
    ),
)

PRINTS: Axis[str] = plain("ways to print", KINDS)

_FAILURES: tuple[Axis[Step], ...] = (RUBBISH, REFUSALS, PASSING)

AXES: Axes = {
    "every_line_is_json": (TROUBLES, CALLERS, BYTES, ENDPOINTS, WAYS, HOSTILE_IDS, *_FAILURES),
    "records_have_fields": (ENDPOINTS, WAYS, TROUBLES, *_FAILURES),
    "every_answer_has_id": (ENDPOINTS, WAYS, TROUBLES, *_FAILURES),
    "incoming_id_is_kept": (KEPT_IDS, OUTCOMES, ENDPOINTS),
    "ids_hold_in_a_crowd": (CROWD,),
    "levels_fit": (ENDPOINTS, TROUBLES, *_FAILURES),
    "secrets_are_not_logged": (PLACES, TROUBLES, *_FAILURES),
    "hostile_id_does_no_harm": (HOSTILE_IDS, OUTCOMES),
    "nothing_is_printed": (PRINTS,),
}
