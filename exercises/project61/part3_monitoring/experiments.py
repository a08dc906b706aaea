"""The experiments of part 3: known traffic between scrapes, and the files that monitoring is made of."""

import asyncio
import contextlib
import json
import re
from collections.abc import Coroutine
from typing import Any

from chaos.history import Answer as Answered
from chaos.history import Failure
from chaos.keys import expected_answer
from chaos.llm import Answer, Held, MalformedJson, Step
from chaos.raw_connection import RawConnection
from exercises.project61.chat import open_chat, streamed_body, usage_to_report
from exercises.project61.few_at_once import few_at_once
from exercises.project61.part3_monitoring.axes import (
    CALLERS,
    FAILING,
    HELD,
    INVALID,
    LEAST_SECONDS,
    NOBODY,
    OUTCOMES,
    SLOW,
    STRANGERS,
    STREAMED,
)
from exercises.project61.part3_monitoring.files import PATTERNS
from lab import control
from lab.experiment import experiment
from lab.lab import Lab

__all__ = ["monitoring_files", "traffic"]

OPENMETRICS = "application/openmetrics-text; version=1.0.0"
SCRAPES = 3
"""How often is looked after traffic: a counter may move when the answer has already arrived."""
SCRAPE_GAP_SECONDS = 0.4
PATIENCE_SECONDS = 15.0
PART_SECONDS = 8.0
COOL_DOWN_SECONDS = 60.0
IN_FLIGHT_WHOLE, IN_FLIGHT_STREAMS = 4, 3
WARM = 3
"""So many strangers come before the series are counted, whose labels are then there."""
AT_ONCE = 8
OUTAGE_ROUNDS, OUTAGE_REQUESTS = 4, 6
_BREAKER = re.compile(r"^[^#\n]*(?:breaker|circuit)[^\n]*$", re.IGNORECASE | re.MULTILINE)


@experiment(seconds=12, needs="start")
async def traffic(lab: Lab) -> None:
    """Known requests are sent between scrapes of /metrics: answered, failing, slow, hanging, strange; then the backend is gone."""
    lab.record_files(*PATTERNS)
    await _scrape(lab, "first")
    await _scrape(lab, "openmetrics", headers={"accept": OPENMETRICS})
    if control.reached(lab.history) != "answer":
        return
    await _scrape(lab, "before")
    for name, count in lab.vary(OUTCOMES):
        await asyncio.gather(*(_work(lab, name) for _ in range(count)))
    await _scrape_again(lab, "after")
    await _wait_for_answers(lab)
    await _hang(lab)
    await _scrape_again(lab, "left")
    await _ask_by_key(lab)
    await _come_as_strangers(lab, dict.fromkeys(STRANGERS.values, WARM), "warm")
    await _scrape(lab, "before strangers")
    await _come_as_strangers(lab, dict(lab.vary(STRANGERS)), "stranger")
    await _scrape(lab, "after strangers")
    lab.phase("fault")
    await _lose_the_backend(lab)


@experiment(seconds=1, needs="nothing")
async def monitoring_files(lab: Lab) -> None:
    """Read Grafana's dashboards and Prometheus's rules."""
    lab.record_files(*PATTERNS)


async def _scrape(lab: Lab, name: str, **options: Any) -> Answered | Failure:
    return await lab.get(lab.endpoint("metrics"), label=f"scrape: {name}", **options)


async def _scrape_again(lab: Lab, name: str) -> None:
    for _ in range(SCRAPES):
        await _scrape(lab, name)
        await asyncio.sleep(SCRAPE_GAP_SECONDS)


async def _ask_by_key(lab: Lab) -> None:
    """Ask by token and by API key, whose log lines must show neither."""
    for name, _ in lab.vary(CALLERS):
        token: str | None = lab.token
        if name != "token":
            made = await lab.client.json(
                "POST", lab.endpoint("keys"), {"name": "scrapes"}, label="key", token=lab.token
            )
            token = _key_in(made)
        if token:
            await lab.generate(label=f"by {name}", token=token)


def _key_in(made: Answered | Failure) -> str | None:
    with contextlib.suppress(ValueError, RecursionError, TypeError, KeyError):
        key = json.loads(made.body)["key"] if isinstance(made, Answered) else None
        return key if isinstance(key, str) and key.isascii() and key.isprintable() else None
    return None


async def _work(lab: Lab, name: str) -> None:
    """Send one of the requests that are counted."""
    label, key = f"work: {name}", lab.key()
    usage = usage_to_report(key)
    match name:
        case _ if name == HELD:
            await _hold(lab, label, key)
        case _ if name == NOBODY:
            await lab.client.json("POST", lab.ask_path, lab.ask_body(key), label=label)
        case _ if name == INVALID:
            headers = {"content-type": "application/json"}
            await lab.client.request(
                "POST", lab.ask_path, label=label, body=b'{"model": ', headers=headers, token=lab.token
            )
        case _:
            steps: dict[str, Step] = {
                SLOW: Answer(delay=LEAST_SECONDS[SLOW], usage=usage),
                FAILING: MalformedJson(),
            }
            lab.llm.script(key, steps.get(name, Answer(usage=usage)))
            body = lab.ask_body(key, model=lab.choose([lab.model, *lab.other_models]))
            if name == STREAMED:
                body |= {"stream": True, "stream_options": {"include_usage": True}}
            await lab.client.json(
                "POST", lab.ask_path, body, label=label, key=key, token=lab.token, timeout=PATIENCE_SECONDS
            )


async def _hold(lab: Lab, label: str, key: str) -> None:
    """Ask for a stream whose second half comes late."""
    release = asyncio.Event()
    lab.llm.script(key, Held(release))
    connection = await _open(lab, label, key, streamed=True)
    await _until_called(lab, key)
    await asyncio.sleep(LEAST_SECONDS[HELD])
    release.set()
    await connection.answer(PATIENCE_SECONDS)
    connection.close()


async def _wait_for_answers(lab: Lab) -> None:
    """Ask until the model answers: what it has answered badly may have opened a breaker."""
    deadline = lab.recorder.now() + COOL_DOWN_SECONDS
    while lab.recorder.now() < deadline:
        answer = await lab.generate(label="settling", timeout=PATIENCE_SECONDS)
        if isinstance(answer, Answered) and answer.status == 200:
            return
        await asyncio.sleep(1)


async def _hang(lab: Lab) -> None:
    """Scrape while requests hang; then some are answered, and the callers of the others leave."""
    release = asyncio.Event()
    whole = [await _ask_held(lab, release, streamed=False) for _ in range(IN_FLIGHT_WHOLE)]
    streams = [await _ask_held(lab, release, streamed=True) for _ in range(IN_FLIGHT_STREAMS)]
    await asyncio.gather(
        *(_until_called(lab, key) for key, _ in whole),
        *(stream.wait_for_part(expected_answer(key).split()[0], PART_SECONDS) for key, stream in streams),
    )
    await _scrape(lab, "in flight")
    for _, stream in streams:
        stream.close()
    release.set()
    await asyncio.gather(*(connection.answer(PATIENCE_SECONDS) for _, connection in whole))
    for _, connection in whole:
        connection.close()
    await asyncio.gather(*(_until_ended(lab, key) for key, _ in (*whole, *streams)))


async def _ask_held(lab: Lab, release: asyncio.Event, *, streamed: bool) -> tuple[str, RawConnection]:
    key = lab.key()
    lab.llm.script(key, Held(release))
    return key, await _open(lab, "hanging", key, streamed=streamed)


async def _until_called(lab: Lab, key: str) -> None:
    with contextlib.suppress(TimeoutError):
        await lab.llm.wait_for_calls(1, key=key)


async def _until_ended(lab: Lab, key: str) -> None:
    with contextlib.suppress(TimeoutError):
        await lab.llm.wait_for_replies(1, key=key)


async def _come_as_strangers(lab: Lab, counts: dict[str, int], label: str) -> None:
    """Ask for unknown paths, log in as unknown users, ask unknown models: so many of each."""
    assert lab.contract.login
    requests: list[Coroutine[Any, Any, object]] = []
    for _ in range(counts["paths"]):
        path = f"/{lab.choose(('v1/', 'files/', ''))}{lab.key()}"
        requests.append(lab.get(path, label=f"{label}: paths", token=lab.token))
    for _ in range(counts["users"]):
        body = lab.contract.login_body(f"reader-{lab.key()}", lab.key())
        requests.append(lab.client.json("POST", lab.login_path, body, label=f"{label}: users"))
    requests += [
        lab.generate(label=f"{label}: models", model=f"model-{lab.key()}") for _ in range(counts["models"])
    ]
    await few_at_once(requests, most=AT_ONCE)


async def _lose_the_backend(lab: Lab) -> None:
    """Ask while connections to the backend are refused, until a line about a breaker in /metrics has changed."""
    before = _breaker_lines(await _scrape(lab, "closed"))
    await lab.upstreams.outage(lab.contract.model)
    for _ in range(OUTAGE_ROUNDS):
        await asyncio.gather(
            *(lab.generate(label="no backend", timeout=PATIENCE_SECONDS) for _ in range(OUTAGE_REQUESTS))
        )
        if _breaker_lines(await _scrape(lab, "open")) != before:
            break
    await lab.upstreams.heal(lab.contract.model)


def _breaker_lines(scraped: Answered | Failure) -> list[str]:
    return sorted(_BREAKER.findall(scraped.body)) if isinstance(scraped, Answered) else []


async def _open(lab: Lab, label: str, key: str, *, streamed: bool) -> RawConnection:
    body = streamed_body(lab, key) if streamed else lab.ask_body(key)
    return await open_chat(lab, label, key, body)
