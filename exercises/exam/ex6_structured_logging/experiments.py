"""The experiments of exercise 6: one request of every kind, and fifty at once; each ends with a SIGTERM."""

import asyncio
import contextlib
import json
import random
from typing import Any

from chaos.history import Tree
from chaos.llm import Answer, EmptyObject, Step
from chaos.raw_connection import RawConnection
from exercises.exam.ex6_structured_logging.axes import (
    BYTES,
    CALLERS,
    CROWD,
    ENDPOINTS,
    HOSTILE_IDS,
    KEPT_IDS,
    ODD_IDS,
    OUTCOMES,
    PASSING,
    PLACES,
    PRINTS,
    REFUSALS,
    RUBBISH,
    TROUBLES,
    WAYS,
    Way,
)
from exercises.exam.ex6_structured_logging.careless import label as careless_label
from exercises.exam.ex6_structured_logging.fields import VISIT
from exercises.exam.ex6_structured_logging.planted import (
    HEADER,
    HOSTILE_PREFIX,
    ODD_PREFIX,
    hostile_header,
    request_id,
)
from exercises.exam.ex6_structured_logging.prints import folders_of_code
from exercises.exam.promises import PATIENCE_SECONDS
from lab.axes import plain
from lab.experiment import experiment
from lab.lab import Lab

__all__ = ["every_kind", "fifty_at_once", "source_files"]

SOLITARY = 3
ON_ONE_CONNECTION = 3
CROWD_SIZE = 50
WITHOUT_ID = 4
"""Each request of the crowd that this divides is sent without an id of its own."""
AT_ONCE = 6
HOSTILE_ROUNDS = 2
"""How many outcomes each hostile id meets."""
OVER_LIMIT = 1_200_000
EXIT_SECONDS = 15.0
HANGING_PATIENCE = 5.0
RETRY_PATIENCE = 8.0
"""Seconds in which four calls that fail at once, with pauses of 1, 2 and 4 seconds, are over."""
JSON = {"content-type": "application/json"}
DEPENDENCIES = ("qdrant", "mlflow")


@experiment(seconds=1, needs="nothing")
async def source_files(lab: Lab) -> None:
    """Read the service's Python files."""
    for _ in lab.vary(PRINTS):
        pass
    lab.record_tree()
    [tree] = lab.history.of(Tree)
    lab.record_files("pyproject.toml", "*.py", *(f"{name}/**/*.py" for name in folders_of_code(tree.paths)))


@experiment(seconds=12, needs="start")
async def every_kind(lab: Lab) -> None:
    """The service meets requests of every kind: normal, refused, hostile, failing, and its own end without MLflow."""
    await _normal(lab)
    lab.phase("fault")
    await _ask_in_every_way(lab)
    await _send_ids(lab)
    await _send_secrets(lab)
    await _refused(lab)
    await _failing(lab)
    await _break_dependencies(lab)
    await _stop(lab)


@experiment(seconds=5, needs="start")
async def fifty_at_once(lab: Lab) -> None:
    """Fifty requests are under way at once, some of them retried or refused; each has an id of its own."""
    for _ in range(SOLITARY):
        await _generate(lab, "solitary")
    lab.phase("fault")
    kinds = [(kind, steps) for kind, (count, steps) in lab.vary(CROWD) for _ in range(count)]
    assert len(kinds) == CROWD_SIZE
    random.Random(lab.control_key).shuffle(kinds)  # noqa: S311 - must be replayable
    await asyncio.gather(
        *(_join(lab, kind, steps, own=place % WITHOUT_ID > 0) for place, (kind, steps) in enumerate(kinds))
    )
    _try(lab, "SIGTERM with MLflow refusing and a request in flight")
    await lab.upstreams.outage("mlflow")
    await _stop(lab)


async def _normal(lab: Lab) -> None:
    """Use the service as one should, and one request after the other, so that it can be told whose a record is."""
    for model in (lab.model, *lab.other_models):
        await lab.generate(label="no-id", model=model, timeout=PATIENCE_SECONDS)
    for _ in range(2):
        await _generate(lab, "own-id")
    key = lab.key()
    await _generate(lab, "own-id", key=key)
    await lab.generate(key, label="asked again", headers={HEADER: request_id(f"{key} again")})
    await _ask_on_one_connection(lab)
    for name, _ in lab.vary(ENDPOINTS):
        if name not in {"login", "ask"}:
            await _use(lab, f"{VISIT}{name}", name, Way())


async def _ask_on_one_connection(lab: Lab) -> None:
    """Make several requests on one connection, without an id: each has to get one of its own."""
    connection = await RawConnection.open(lab.client, "one connection")
    with contextlib.closing(connection):
        for _ in range(ON_ONE_CONNECTION):
            if connection.ended.done():
                return
            connection.send("GET", lab.endpoint("alive"))
            await connection.answer(PATIENCE_SECONDS)


async def _ask_in_every_way(lab: Lab) -> None:
    """Use every endpoint in every way, without an id of the caller's."""
    ways = [(way_name, way) for way_name, way in lab.vary(WAYS)]
    await asyncio.gather(
        *(
            _use(lab, f"{name} {way_name}", name, way, own=False)
            for name in ENDPOINTS.values
            for way_name, way in ways
        )
    )


async def _send_ids(lab: Lab) -> None:
    """Send sane, odd and hostile ids, whatever the requests with them end in."""
    requests = []
    for kind, make, outcome, _ in lab.pairs(KEPT_IDS, OUTCOMES):
        key = lab.key()
        requests.append(_end_in(lab, f"{outcome}, {kind}", outcome, key, id_sent=make(key)))
    for kind, make, outcome, _ in lab.pairs(ODD_IDS, OUTCOMES):
        key = lab.key()
        requests.append(_end_in(lab, f"{ODD_PREFIX}{kind}", outcome, key, id_sent=make(key)))
    hostile = [pair for _ in range(HOSTILE_ROUNDS) for pair in lab.pairs(HOSTILE_IDS, OUTCOMES)]
    for kind, _, outcome, _ in hostile:
        key = lab.key()
        label = f"{HOSTILE_PREFIX}{kind}, {outcome}"
        requests.append(_end_in(lab, label, outcome, key, raw=hostile_header(kind, key)))
    await asyncio.gather(*requests)
    key = lab.key()
    lab.llm.script(key, EmptyObject())
    kind = random.Random(lab.control_key).choice(["quotes", "braces", "spaces", "a UUID in braces"])  # noqa: S311
    await _end_in(
        lab,
        f"{HOSTILE_PREFIX}{kind}, rubbish from the model",
        "a good answer",
        key,
        raw=hostile_header(kind, key),
    )


async def _send_secrets(lab: Lab) -> None:
    """Send secrets where they do not belong."""
    requests = []
    for place, make in lab.vary(PLACES):
        key = lab.key()
        sent = make(key)
        path = _path(lab, sent.endpoint, key)
        requests.append(
            lab.client.request(
                ENDPOINTS.values[sent.endpoint],
                f"{path}?{sent.query}" if sent.query else path,
                label=careless_label(place),
                key=key,
                headers={**sent.headers, HEADER: request_id(key)},
                token=lab.token if sent.endpoint == "ask" else None,
                body=sent.body,
                timeout=PATIENCE_SECONDS,
            )
        )
    await asyncio.gather(*requests)
    await lab.get(f"{lab.endpoint('alive')}?access_token={lab.token}", label="token in a query")


async def _refused(lab: Lab) -> None:
    """Send what a service refuses by itself, and what makes careless ones stumble."""
    key = lab.key()
    await _post(lab, "newline in a path", f"/nowhere/{key}%0A%22forged%22%1B%5B31m", key, b"")
    await _post(lab, "no prompt", lab.ask_path, lab.key(), {"model": lab.model})
    for label, changes in (
        ("not a number", {"temperature": float("nan")}),
        ("half a character", {"system_prompt": "\ud800"}),
    ):
        key = lab.key()
        await _post(lab, label, lab.ask_path, key, {**lab.ask_body(key), **changes})
    await _post(lab, "no text", lab.ask_path, lab.key(), b"\xff\xfe\x00")
    await _post(lab, "too large", lab.ask_path, lab.key(), b" " * OVER_LIMIT)
    await _post(lab, "too large a login", lab.login_path, lab.key(), b" " * OVER_LIMIT)
    await asyncio.gather(*(_speak(lab, data) for _, data in lab.vary(BYTES)))
    await asyncio.gather(*(_leave(lab, how) for how, _ in lab.vary(CALLERS)))


async def _failing(lab: Lab) -> None:
    """Have the model fail: with rubbish in one request after the other, then as a refusal, and in passing."""
    for kind, step in lab.vary(RUBBISH):
        await _generate(lab, f"rubbish: {kind}", step)
        await _generate(lab, "between failures")
    await asyncio.gather(*(_generate(lab, f"refused: {kind}", step) for kind, step in lab.vary(REFUSALS)))
    await _generate(lab, "between failures")
    await asyncio.gather(
        *(_generate(lab, f"passing: {kind}", step, Answer()) for kind, step in lab.vary(PASSING))
    )


async def _break_dependencies(lab: Lab) -> None:
    """Ask on while dependencies refuse, then while they hang, and at last without the model."""
    _try(lab, "Qdrant and MLflow refuse connections")
    for upstream in DEPENDENCIES:
        await lab.upstreams.outage(upstream)
    await _ask_around(lab, "without dependencies")
    for upstream in DEPENDENCIES:
        await lab.upstreams.heal(upstream)
    _try(lab, "Qdrant and MLflow hang")
    for upstream in DEPENDENCIES:
        await lab.upstreams.hang(upstream)
    await _ask_around(lab, "with hanging dependencies")
    _try(lab, "the model refuses connections")
    await lab.upstreams.outage("litellm")
    await asyncio.gather(*(_generate(lab, "without the model", timeout=RETRY_PATIENCE) for _ in range(2)))
    _try(lab, "SIGTERM with MLflow hanging")


def _try(lab: Lab, trouble: str) -> None:
    """Record that a trouble comes; the order of troubles is that of the experiment."""
    assert trouble in TROUBLES.values
    list(lab.vary(plain(TROUBLES.name, [trouble])))


async def _ask_around(lab: Lab, label: str) -> None:
    requests = [_generate(lab, label, timeout=HANGING_PATIENCE) for _ in range(AT_ONCE)]
    requests += [
        _use(lab, f"{name} {label}", name, Way(), timeout=HANGING_PATIENCE)
        for name in ("readiness", "cache_stats", "cache_clear", "alive")
    ]
    await asyncio.gather(*requests)


async def _stop(lab: Lab) -> None:
    """Tell the service to end while one request is in flight, and wait for its end: only then all lines are there."""
    key = lab.key()
    last = asyncio.create_task(_generate(lab, "last", Answer(delay=0.5), key=key, timeout=RETRY_PATIENCE))
    arrived = asyncio.create_task(_arrive(lab, key))
    await asyncio.wait([last, arrived], return_when=asyncio.FIRST_COMPLETED)
    lab.service.signal("TERM")
    await asyncio.gather(last, arrived)
    await lab.service.wait_exit(EXIT_SECONDS)


async def _arrive(lab: Lab, key: str) -> None:
    with contextlib.suppress(TimeoutError):
        await lab.llm.wait_for_calls(1, key=key, timeout=2)


async def _generate(
    lab: Lab, label: str, *steps: Step, key: str | None = None, own: bool = True, **options: Any
) -> None:
    key = key or lab.key()
    if steps:
        lab.llm.script(key, *steps)
    headers = {HEADER: request_id(key)} if own else {}
    await lab.generate(key, label=label, headers=headers, **{"timeout": PATIENCE_SECONDS, **options})


async def _join(lab: Lab, kind: str, steps: tuple[Step, ...], *, own: bool) -> None:
    """Send one request of the crowd."""
    label = "crowd" if kind.startswith("answered") else f"crowd: {kind}"
    if steps:
        await _generate(lab, label, *steps, own=own)
        return
    key = lab.key()
    path = f"/nowhere/{key}" if kind == "unknown path" else f"{lab.endpoint('models')}?trail={key}"
    await lab.get(path, label=label, key=key, headers={HEADER: request_id(key)} if own else {})


async def _use(lab: Lab, label: str, endpoint: str, way: Way, *, own: bool = True, **options: Any) -> None:
    key = lab.key()
    await _request(
        lab, label, endpoint, way, key=key, headers={HEADER: request_id(key)} if own else {}, **options
    )


async def _end_in(
    lab: Lab, label: str, outcome: str, key: str, *, id_sent: str = "", raw: bytes = b""
) -> None:
    """Send a request with an id that ends in an outcome."""
    endpoint, way = OUTCOMES.values[outcome]
    headers = {HEADER: id_sent} if id_sent else {}
    asked = Way(body=json.dumps(lab.ask_body(key)).encode()) if endpoint == "ask" and not way else Way()
    await _request(
        lab, label, endpoint, WAYS.values.get(way, asked), key=key, headers=headers, raw_headers=raw
    )


async def _request(
    lab: Lab, label: str, endpoint: str, way: Way, *, key: str, headers: dict[str, str], **options: Any
) -> None:
    origin = {"": "", "allowed": lab.allowed_origins[0], "foreign": "https://elsewhere.example"}[way.origin]
    token = {"own": lab.token, "none": None, "forged": f"{lab.token[:-8]}AAAAAAAA"}[way.bearer]
    await lab.client.request(
        way.method or ENDPOINTS.values[endpoint],
        _path(lab, endpoint, key),
        label=label,
        key=key,
        body=way.body,
        headers={
            **(JSON if way.body else {}),
            **way.headers,
            **({"origin": origin} if origin else {}),
            **headers,
        },
        token=token or None,
        **{"timeout": PATIENCE_SECONDS, **options},
    )


def _path(lab: Lab, endpoint: str, key: str) -> str:
    match endpoint:
        case "login":
            return lab.login_path
        case "ask":
            return lab.ask_path
        case "unknown":
            return f"/nowhere/{key}"
    return lab.endpoint(endpoint)


async def _post(lab: Lab, label: str, path: str, key: str, content: Any) -> None:
    """Send a body: bytes as they are, anything else as JSON, with what JSON does not know but parsers take."""
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    headers = {**JSON, HEADER: request_id(key)}
    await lab.client.request(
        "POST",
        path,
        label=label,
        key=key,
        body=body,
        headers=headers,
        token=lab.token,
        timeout=PATIENCE_SECONDS,
    )


async def _leave(lab: Lab, how: str) -> None:
    """Go away in the middle of a request."""
    key = lab.key()
    if how == "it hangs up":
        await _generate(lab, how, Answer(delay=1.0), key=key, abort_after=0.3)
        return
    body = json.dumps(lab.ask_body(key)).encode()
    head = f"POST {lab.ask_path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {lab.token}\r\n"
    rest = f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    await _speak(lab, f"{head}{rest}".encode() + body[:20], patience=0.3)


async def _speak(lab: Lab, data: bytes, *, patience: float = 0.5) -> None:
    """Send bytes, and wait a moment for the server to answer or to hang up."""
    try:
        client = await lab.client.connect(lambda: _Speaker(data), lab.client.next_source())
    except OSError:
        return
    await asyncio.wait([client.heard], timeout=patience)
    client.hang_up()


class _Speaker(asyncio.Protocol):
    def __init__(self, data: bytes) -> None:
        self.heard: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._data = data
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(self._data)

    def data_received(self, data: bytes) -> None:  # noqa: ARG002 - whatever it is
        self._hear()

    def connection_lost(self, error: Exception | None) -> None:  # noqa: ARG002 - however it ended
        self._hear()

    def hang_up(self) -> None:
        self._transport.abort()

    def _hear(self) -> None:
        if not self.heard.done():
            self.heard.set_result(None)
