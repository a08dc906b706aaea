"""The experiments of exercise 6: one request of every kind, and fifty at once; each ends with a SIGTERM."""

import asyncio
import contextlib
import json
import random
from typing import Any

from chaos.history import File
from chaos.llm import Answer, EmptyObject, MalformedJson, Status, Step, WrongContentType
from exercises.exam.ex6_structured_logging.planted import (
    HEADER,
    HOSTILE,
    HOSTILE_PREFIX,
    api_key,
    basic_credentials,
    hostile_id,
    password,
    request_id,
)
from exercises.exam.promises import PATIENCE_SECONDS
from lab.experiment import experiment
from lab.lab import Lab

SOLITARY = 3
CROWD = 50
OVER_LIMIT = 1_200_000
EXIT_SECONDS = 15.0
TLS_HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(32)) + b" \r\n\r\n"
JSON = {"content-type": "application/json"}


@experiment(seconds=1, needs="nothing")
async def source_files(lab: Lab) -> None:
    """Read the service's Python files."""
    lab.record_files(f"{lab.contract.start.main.parent}/**/*.py")
    if not lab.history.of(File):
        lab.record_files("**/*.py")


@experiment(seconds=8, needs="start")
async def every_kind(lab: Lab) -> None:
    """The service meets requests of every kind: normal, refused, hostile, failing at the model, and its own end."""
    await _normal(lab)
    await _refused(lab)
    await _hostile(lab)
    lab.phase("fault")
    await _failing(lab)
    await _stop(lab)


@experiment(seconds=5, needs="start")
async def fifty_at_once(lab: Lab) -> None:
    """Fifty requests are under way at once, some of them retried or refused; each has an id of its own."""
    for _ in range(SOLITARY):
        await _generate(lab, "solitary")
    lab.phase("fault")
    steps: list[tuple[str, Step]] = [
        *(("crowd", Answer(delay=0.2 + 0.03 * place)) for place in range(32)),
        *(("crowd-refused", Status(400)) for _ in range(3)),
        ("crowd-malformed", EmptyObject()),
    ]
    requests = [_generate(lab, label, step) for label, step in steps]
    # At most four failing calls in a row: fewer than open a breaker.
    requests += [_generate(lab, "crowd-transient", Status(503), Answer()) for _ in range(3)]
    requests += [_get(lab, "crowd-unknown", "/nowhere/{key}") for _ in range(6)]
    requests += [_get(lab, "crowd-models", f"{lab.endpoint('models')}?trail={{key}}") for _ in range(5)]
    assert len(requests) == CROWD
    random.Random(lab.control_key).shuffle(requests)  # noqa: S311 - must be replayable
    await asyncio.gather(*requests)
    await _stop(lab)


async def _normal(lab: Lab) -> None:
    for _ in range(SOLITARY):
        await lab.generate(label="no-id", timeout=PATIENCE_SECONDS)
    for _ in range(2):
        await _generate(lab, "own-id")
        await _get(lab, "me", lab.endpoint("me"), token=lab.token)
    await _get(lab, "models", lab.endpoint("models"))


async def _refused(lab: Lab) -> None:
    """Send what a service refuses by itself, secrets among it, and what makes careless ones stumble."""
    await _get(lab, "unknown-path", "/nowhere/{key}")
    await _get(lab, "newline-in-path", "/nowhere/{key}%0A%22forged%22%1B%5B31m")
    await _get(lab, "wrong-method", lab.ask_path, token=lab.token)
    key = lab.key()
    headers = {"authorization": f"Bearer {api_key(key)}", "x-api-key": api_key(key)}
    await _generate(lab, "api-key", key=key, headers=headers)
    key = lab.key()
    await _generate(lab, "basic", key=key, headers={"authorization": f"Basic {basic_credentials(key)}"})
    for label, others in (
        ("wrong-password", {"username": "admin"}),
        ("missing-username", {}),
        ("odd-username", {"username": float("nan")}),
    ):
        key = lab.key()
        await _post(lab, label, lab.login_path, key, {**others, "password": password(key)})
    await _post(lab, "missing-prompt", lab.ask_path, lab.key(), {"model": lab.model})
    for label, changes in (
        ("not-a-number", {"temperature": float("nan")}),
        ("lone-surrogate", {"system_prompt": "\ud800"}),
    ):
        key = lab.key()
        await _post(lab, label, lab.ask_path, key, {**lab.ask_body(key), **changes})
    await _post(lab, "broken-json", lab.ask_path, lab.key(), b'{"model": "gro')
    await _post(lab, "no-text", lab.ask_path, lab.key(), b"\xff\xfe\x00")
    await _post(lab, "too-large", lab.ask_path, lab.key(), b" " * OVER_LIMIT)
    await _speak_tls(lab)


async def _hostile(lab: Lab) -> None:
    for kind in HOSTILE:
        key = lab.key()
        await _generate(lab, f"{HOSTILE_PREFIX}{kind}", key=key, headers={HEADER: hostile_id(kind, key)})


async def _failing(lab: Lab) -> None:
    """Fail one request after the other: what is logged meanwhile is about one alone."""
    await _generate(lab, "transient", Status(503), Answer())
    await _generate(lab, "malformed-json", MalformedJson())
    await _generate(lab, "empty-object", EmptyObject())
    await _generate(lab, "wrong-content-type", WrongContentType())


async def _stop(lab: Lab) -> None:
    """Tell the service to end while one request is in flight, and wait for its end: only then all lines are there."""
    key = lab.key()
    last = asyncio.create_task(_generate(lab, "last", Answer(delay=0.5), key=key))
    with contextlib.suppress(TimeoutError):
        await lab.llm.wait_for_calls(1, key=key, timeout=2)
    lab.service.signal("TERM")
    await last
    await lab.service.wait_exit(EXIT_SECONDS)


async def _generate(
    lab: Lab, label: str, *steps: Step, key: str | None = None, headers: dict[str, str] | None = None
) -> None:
    key = key or lab.key()
    if steps:
        lab.llm.script(key, *steps)
    await lab.generate(
        key, label=label, headers={HEADER: request_id(key), **(headers or {})}, timeout=PATIENCE_SECONDS
    )


async def _get(lab: Lab, label: str, path: str, **options: Any) -> None:
    key = lab.key()
    headers = {HEADER: request_id(key)}
    await lab.get(path.format(key=key), label=label, key=key, headers=headers, **options)


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


async def _speak_tls(lab: Lab) -> None:
    """Begin a TLS handshake, as a client does that was given https for http, and wait for the server's farewell."""
    try:
        client = await lab.client.connect(_TlsClient, lab.client.next_source())
    except OSError:
        return
    await asyncio.wait([client.ended], timeout=2)
    client.hang_up()


class _TlsClient(asyncio.Protocol):
    def __init__(self) -> None:
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(TLS_HELLO)

    def connection_lost(self, error: Exception | None) -> None:  # noqa: ARG002 - however it ended
        if not self.ended.done():
            self.ended.set_result(None)

    def hang_up(self) -> None:
        self._transport.abort()
