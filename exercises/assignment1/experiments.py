"""The experiments of Assignment 1. Several parts read the same ones; each part's module names those that it reads."""

import asyncio
import contextlib
import json
import random
from collections.abc import Awaitable, Coroutine, Iterable
from pathlib import Path
from typing import Any

from chaos.history import Answer, Failure
from chaos.llm import Answer as Answered
from chaos.llm import (
    ByModel,
    Drip,
    ErrorInStream,
    Hang,
    Held,
    RateLimited,
    Reset,
    Status,
    Step,
)
from chaos.raw_connection import RawConnection
from exercises.assignment1 import bounds, faults, plan
from exercises.assignment1.provider import UPSTREAMS, calls, script, server
from exercises.chat import request_id
from exercises.chat.answer import answering
from exercises.chat.limit import try_limit
from exercises.chat.prices import PRICES
from lab.experiment import experiment
from lab.lab import Lab
from lab.own_tests import PATTERNS
from lab.prompts import prompt
from lab.retry_after import seconds_of

__all__ = [
    "broken_tests",
    "budget",
    "dotenv",
    "failures",
    "files",
    "hanging",
    "health",
    "leaks",
    "limits",
    "own_tests",
    "refusals",
    "requests",
    "streams",
]

PATIENCE = 20.0
HANG_PATIENCE = plan.GIVE_UP_SECONDS + 8.0
RETRY_PATIENCE = 60.0
HEALTH_SECONDS = 15.0
"""A change has to show by then, and the state at the start too: a service may ask in the background."""
HEALTH_PATIENCE = 12.0
LARGE_BODY = 20 * 2**20
CHARGED_SECONDS = 0.5
"""After the end of a stream it has been charged by then."""


@experiment(seconds=1, needs="nothing")
async def files(lab: Lab) -> None:
    """Read what tells others how to install, configure and start the service."""
    lab.record_files(".env.example", "pyproject.toml", "README.md", "README.rst", *PATTERNS)


@experiment(seconds=12, needs="start")
async def requests(lab: Lab) -> None:
    """Send what is right, what is just inside and just outside of every bound, and what is no request at all."""
    source = random.Random(lab.key())  # noqa: S311 - must be replayable
    for case in bounds.outside(lab.key(), source):
        await _post(lab, case.body, label=case.label(bounds.OUTSIDE))
    for role in ("assistant", "user", "system"):
        await _first_message(lab, role)
    await _own_rule(lab)
    await _no_requests(lab, source)
    await _request_ids(lab, source)
    for key, case in bounds.inside(iter(lab.key, None), source):
        await _post_utf8(lab, case.body, label=case.label(bounds.INSIDE), key=key)
    await _whole_conversation(lab, source)
    await asyncio.gather(*(_priced(lab, model, source) for model in PRICES))
    # By itself: what the log says of it is compared with what it says of the others.
    await _priced(lab, plan.unknown_model(source), source)


@experiment(seconds=24)
async def failures(lab: Lab) -> None:
    """The provider fails for a while, or for good, in every way that it does."""
    lab.phase("fault")
    passing: dict[str, tuple[Step, ...]] = {
        f"{name} {count}x": (step,) * count for name, step in plan.PASSING.items() for count in (1, 2)
    }
    told = [_asked(lab, f"passing: {name}", *steps, Answered()) for name, steps in passing.items()]
    told += [
        _asked(lab, f"lasting: {name}", step)
        for name, step in plan.LASTING.items()
        for _ in range(plan.SAMPLES)
    ]
    told += [_asked(lab, f"refused: {code}", Status(code)) for code in plan.FINAL for _ in range(2)]
    told += [_asked(lab, f"rubbish: {name}", step) for name, step in plan.RUBBISH.items()]
    told += [_asked(lab, "asked to wait", RateLimited(plan.RETRY_AFTER), Answered())]
    told += [_fallback(lab), _all_limited(lab), *_failures_of_the_other(lab)]
    await _few_at_once(told)
    await _refused_connections(lab)


@experiment(seconds=34)
async def hanging(lab: Lab) -> None:
    """The provider takes requests and never answers, or sends a blank now and then; others are answered meanwhile."""
    lab.phase("fault")
    waiting = [
        asyncio.create_task(_asked(lab, "hangs", Hang(), patience=HANG_PATIENCE)),
        asyncio.create_task(_asked(lab, "drips", Drip(interval=0.5), patience=HANG_PATIENCE)),
        asyncio.create_task(_of_the_other(lab, "hangs", Hang(), patience=HANG_PATIENCE)),
        asyncio.create_task(_of_the_other(lab, "drips", Drip(interval=0.5), patience=HANG_PATIENCE)),
        asyncio.create_task(
            _asked(lab, plan.ASKED_TO_WAIT_LONG, RateLimited(plan.LONG), patience=HANG_PATIENCE)
        ),
    ]
    # A service that stands still while one request waits has not made the other calls: the next requests show that.
    with contextlib.suppress(TimeoutError):
        await server(lab, "openai").wait_for_calls(3, timeout=PATIENCE)
    for _ in range(3):
        await lab.generate(label="meanwhile", timeout=PATIENCE)
    await asyncio.gather(*waiting)
    lab.phase("recovery")
    await lab.generate(label="after", timeout=PATIENCE)


@experiment(seconds=30, needs="start")
async def health(lab: Lab) -> None:
    """The provider is up, refuses connections, is up again, hangs, is up again, and answers 500 for a while.

    It ends with the first of these that the service does not tell.
    """
    provider = server(lab, "openai")
    if not await _health(lab, "up"):
        return
    lab.phase("fault")
    await lab.upstreams.outage("openai")
    told = await _health(lab, "refused")
    await lab.upstreams.heal("openai")
    if not (told and await _health(lab, "up again")):
        return
    await lab.upstreams.hang("openai")
    told = await _health(lab, "hanging")
    await lab.upstreams.heal("openai")
    if not (told and await _health(lab, "up after hanging")):
        return
    provider.fail_pages(500)
    told = await _health(lab, "answering 500")
    lab.phase("recovery")
    provider.fail_pages(None)
    if told:
        await _health(lab, "up after 500")


@experiment(seconds=14, settings=plan.limits)
async def limits(lab: Lab) -> None:
    """Other limits come from the environment: of requests, of tokens, and another default model."""
    allowed, window = plan.given_limits(lab.settings)
    most = int(lab.settings.variables["MAX_TOKENS_PER_REQUEST"] or 0)
    lab.phase("fault")
    addresses = await try_limit(lab, allowed)
    for _ in range(plan.STREAMS_BEYOND):
        await _streamed(lab, "streams beyond", Answered(), source=addresses[-1])
    await lab.generate(label="after the streams", source=addresses[-1], timeout=PATIENCE)
    for label, tokens, stream in (
        ("most tokens", most, {}),
        ("more tokens", most + 1, {}),
        ("more tokens of a stream", most + 1, {"stream": True}),
    ):
        key = lab.key()
        body = {"messages": [bounds.user(prompt(key))], "max_tokens": tokens, **stream}
        await _post(lab, body, label=label, key=key)
    key = lab.key()
    body = {"messages": [bounds.user(prompt(key))], "max_tokens": most}
    await _post(lab, body, label="no model", key=key)
    key = lab.key()
    await _post(lab, {"messages": [bounds.user(prompt(key))]}, label="no max_tokens", key=key)
    ends = lab.recorder.now() + window + 0.5
    await _come_back_as_told(lab, addresses[-1], window)
    await asyncio.sleep(ends - lab.recorder.now())
    lab.phase("recovery")
    for address in addresses:
        await lab.generate(label="after the window", source=address, timeout=PATIENCE)


@experiment(seconds=6, settings=plan.budget)
async def budget(lab: Lab) -> None:
    """The day's money is spent in a stream of each provider and another request; others follow."""
    lab.phase("fault")
    limit = float(lab.settings.variables["DAILY_COST_LIMIT"] or 0)
    dollars = limit * plan.SHARE_OF_BUDGET
    spending = Answered(usage=plan.usage_for(dollars, plan.SPENDING_MODEL))
    await _spent(lab, "cheap", Answered(usage=(20, 10)))
    streamed = [
        await _streamed(lab, label, Answered(usage=plan.usage_for(dollars, model)), model=model)
        for label, model in plan.SPENDING_STREAMS.items()
    ]
    await asyncio.sleep(CHARGED_SECONDS)
    # A service that does not stream, or not that model, may have refused it, and spent nothing.
    spent = sum(bool(answering(calls(lab.history, key))) for key in streamed)
    for label in (*["spending"] * (plan.SPENDING_REQUESTS - spent), "beyond", "beyond"):
        await _spent(lab, label, spending)
    await _streamed(lab, "stream beyond", spending)
    await lab.get(lab.endpoint("health"), label="health")


@experiment(seconds=6, settings=plan.env_file)
async def dotenv(lab: Lab) -> None:
    """Settings come from a .env file, one of them from the environment too; then the file changes."""
    most = int(lab.settings.variables["MAX_TOKENS_PER_REQUEST"] or 0)
    lab.record_files(*PATTERNS)
    lab.phase("fault")
    await _tokens_and_model(lab, most, "before")
    lab.write_env_file({"DEFAULT_MODEL": "gpt-4o-mini", "MAX_TOKENS_PER_REQUEST": str(most // 4)})
    await _tokens_and_model(lab, most, "after")


@experiment(seconds=12, needs="start")
async def refusals(lab: Lab) -> None:
    """Start without a key, and with each variable malformed."""
    lab.record_files(".env.example")
    changes: dict[str, dict[str, str | None]] = {
        "without OPENAI_API_KEY": {"OPENAI_API_KEY": None},
        "OPENAI_API_KEY empty": {"OPENAI_API_KEY": ""},
    }
    source = random.Random(lab.key())  # noqa: S311 - must be replayable
    for name, value in plan.malformed(lab.history, source):
        changes[f"{name}={value}"] = {name: value}
    changes[plan.FREE] = {"DAILY_COST_LIMIT": "0"}
    await asyncio.gather(*(lab.attempt(label, change) for label, change in changes.items()))


@experiment(seconds=12, settings=plan.debug)
async def leaks(lab: Lab) -> None:
    """The providers fail 20 times in several ways and quote the keys; pages and errors are looked at."""
    lab.phase("fault")
    given = lab.contract.given(lab.secrets)
    key_value = given["OPENAI_API_KEY"]
    quoting = f"Incorrect API key provided: {key_value}."
    quoting_other = f"invalid x-api-key: {given['ANTHROPIC_API_KEY']}"
    # First, so that no state of before is still remembered when the health is asked for.
    server(lab, "openai").fail_pages(401, quoting)
    server(lab, "anthropic").fail_pages(401, quoting_other)
    steps: list[Step] = [
        *(Status(code, detail=quoting) for code in (400, 401, 403, 404, 429, 500, 503)),
        *(*plan.RUBBISH.values(), Reset()),
    ]
    told = [_asked(lab, "leaking", step) for step in [*steps, *steps[:5]]]
    told += [
        _asked(lab, "leaking", Status(code, detail=quoting_other), model=plan.OTHER_PROVIDERS_MODEL)
        for code in (400, 401, 500)
    ]
    await _few_at_once(told)
    for model, text in ((lab.model, quoting), (plan.OTHER_PROVIDERS_MODEL, quoting_other)):
        for step in (Status(401, detail=text), ErrorInStream(detail=text)):
            await _streamed(lab, "leaking stream", step, model=model)
    for path in (
        "/",
        "/docs",
        "/openapi.json",
        "/redoc",
        "/health",
        "/metrics",
        "/nowhere",
        "/.env",
        "/config",
    ):
        await lab.get(path, label="page")
    hello = [bounds.user("Hello")]
    for body in (
        {"messages": key_value},
        {"messages": [], "model": ["x"]},
        {},
        {"messages": [{"role": key_value, "content": "Hello"}]},
        {"messages": [{"role": "user", "content": {"key": key_value}}]},
        {"messages": hello, "temperature": key_value},
        {"messages": hello, "max_tokens": key_value},
    ):
        await _post(lab, body, label="invalid")
    no_json = f'{{"messages": {key_value}'.encode()
    await lab.client.request(
        "POST", lab.ask_path, label="no JSON", body=no_json, headers={"content-type": "application/json"}
    )


@experiment(seconds=8, needs="nothing")
async def own_tests(lab: Lab) -> None:
    """Run the submission's own tests, without a network."""
    lab.record_files(*PATTERNS)
    await lab.run_own_tests()


@experiment(seconds=10, needs="nothing")
async def broken_tests(lab: Lab) -> None:
    """Run the submission's own tests on its service, and on the service with each of five faults in it."""
    lab.record_files(*PATTERNS)
    await lab.run_own_tests(plugin=Path(faults.__file__), faults=("", *faults.FAULTS))


@experiment(seconds=12)
async def streams(lab: Lab) -> None:
    """Streams that are held in the middle, that break there, and whose callers leave."""
    for label, model in plan.HELD_STREAMS.items():
        await _held_stream(lab, label, model)
    lab.phase("fault")
    broken: tuple[Step, ...] = (ErrorInStream(), Held(_released(), broken=True))
    await asyncio.gather(
        *(
            _streamed(lab, f"{label}{whose}", step, model=model)
            for whose, model in (("", lab.model), (plan.OF_THE_OTHER, plan.OTHER_PROVIDERS_MODEL))
            for label, step in zip(plan.BREAKS, broken, strict=True)
        )
    )
    await _abandoned_stream(lab)


async def _post(lab: Lab, body: Any, *, label: str, key: str | None = None) -> Answer | Failure:
    return await lab.client.json("POST", lab.ask_path, body, label=label, key=key, timeout=PATIENCE)


async def _post_utf8(lab: Lab, body: Any, *, label: str, key: str) -> None:
    """Send a body as most clients do: characters that are not ASCII stand there as they are."""
    await lab.client.request(
        "POST",
        lab.ask_path,
        label=label,
        body=json.dumps(body, ensure_ascii=False).encode(),
        headers={"content-type": "application/json"},
        key=key,
        timeout=PATIENCE,
    )


async def _asked(
    lab: Lab, label: str, *steps: Step, model: str | None = None, patience: float = RETRY_PATIENCE
) -> None:
    """Ask for something new that meets these steps at either provider."""
    key = lab.key()
    script(lab, key, *steps)
    await lab.generate(key, label=label, model=model, timeout=patience)


async def _of_the_other(lab: Lab, label: str, *steps: Step, patience: float = RETRY_PATIENCE) -> None:
    """Ask for something new of a model that the second provider has, if there is one."""
    label = f"{label}{plan.OF_THE_OTHER}"
    await _asked(lab, label, *steps, model=plan.OTHER_PROVIDERS_MODEL, patience=patience)


def _failures_of_the_other(lab: Lab) -> list[Coroutine[Any, Any, None]]:
    """Have the second provider fail in every way, once each."""
    passing = [
        _of_the_other(lab, f"passing: {name} 1x", step, Answered()) for name, step in plan.PASSING.items()
    ]
    lasting = [_of_the_other(lab, f"lasting: {name}", step) for name, step in plan.LASTING.items()]
    return [
        *passing,
        *lasting,
        _of_the_other(lab, "asked to wait", RateLimited(plan.RETRY_AFTER), Answered()),
        *(_of_the_other(lab, f"refused: {code}", Status(code)) for code in plan.FINAL),
        *(_of_the_other(lab, f"rubbish: {name}", step) for name, step in plan.RUBBISH_OF_ALL.items()),
    ]


async def _few_at_once(waiting: Iterable[Awaitable[None]]) -> None:
    """Await all, so many at a time that none of the service's time is the lab's doing."""
    places = asyncio.Semaphore(plan.SIDE_BY_SIDE)

    async def one(awaitable: Awaitable[None]) -> None:
        async with places:
            await awaitable

    await asyncio.gather(*map(one, waiting))


async def _fallback(lab: Lab) -> None:
    """gpt-4o stays rate limited, whichever provider is asked; any other model answers."""
    key = lab.key()
    script(lab, key, ByModel({plan.LIMITED_MODEL: Status(429)}, Answered(usage=plan.FALLBACK_USAGE)))
    body = lab.ask_body(key, model=plan.LIMITED_MODEL)
    await lab.client.json("POST", lab.ask_path, body, label="fallback", key=key, timeout=RETRY_PATIENCE)


async def _all_limited(lab: Lab) -> None:
    """Every model is rate limited, whichever is asked instead of gpt-4o."""
    await _asked(lab, "all limited", Status(429), model=plan.LIMITED_MODEL)


async def _refused_connections(lab: Lab) -> None:
    """Neither provider accepts a connection. It is asked by one request at a time, whose time shows its pauses."""
    for name in UPSTREAMS:
        await lab.upstreams.outage(name)
    paused = 0
    for _ in range(plan.SAMPLES):
        end = await lab.generate(label=plan.REFUSED_CONNECTION, timeout=RETRY_PATIENCE)
        paused += end.elapsed >= plan.FIRST_PAUSE
        if paused == plan.PAUSED_SAMPLES:
            break
    for name in UPSTREAMS:
        await lab.upstreams.heal(name)


async def _come_back_as_told(lab: Lab, address: str, window: int) -> None:
    """Ask once more from an address that was refused last, when that refusal says that it may."""
    asked = [one for one in lab.history.exchanges() if one.request.source == address]
    last = next(one.answer for one in reversed(asked) if one.request.path == lab.ask_path)
    # A fixed window may have ended in between: an address that was served since then has begun to fill the next one.
    if last is None or last.status != 429:
        return
    told = seconds_of(last)
    if told is not None and told <= window + 1:
        await asyncio.sleep(last.t + told + plan.RETRY_AFTER_SLACK - lab.recorder.now())
        await lab.generate(label="as told", source=address, timeout=PATIENCE)


async def _first_message(lab: Lab, role: str) -> None:
    """Ask with a conversation that begins with a role, and ends with the user as usual."""
    key = lab.key()
    first = {"role": role, "content": "Be brief." if role == "system" else "We spoke of this before."}
    middle = [{"role": "assistant", "content": "So we did."}] if role == "user" else []
    body = {"messages": [first, *middle, bounds.user(prompt(key))]}
    await _post(lab, body, label=f"begins with the {role}", key=key)


async def _own_rule(lab: Lab) -> None:
    """Send the two examples of the rule that the README documents."""
    lab.record_files("README.md")
    for name, body in plan.own_rule(lab.history).items():
        await _post(lab, body, label=f"own rule: {name}")


async def _no_requests(lab: Lab, source: random.Random) -> None:
    """Send what is no valid request, whatever its body says."""
    as_json = {"content-type": "application/json"}
    for label, body in (
        ("a body that is no JSON", b'{"messages": ['),
        ("an empty body", b""),
        ("a list", b"[]"),
    ):
        await lab.client.request("POST", lab.ask_path, label=label, body=body, headers=as_json)
    as_text = {"content-type": "text/plain"}
    good = json.dumps({"messages": [bounds.user("Hello")]}).encode()
    await lab.client.request("POST", lab.ask_path, label="JSON as text/plain", body=good, headers=as_text)
    form = {"content-type": "application/x-www-form-urlencoded"}
    await lab.client.request("POST", lab.ask_path, label="a form", body=b"messages=hello", headers=form)
    await lab.get(f"/api/v1/{source.getrandbits(32):08x}", label="an unknown path")
    await lab.get(lab.ask_path, label="another method")
    await lab.client.request("DELETE", lab.endpoint("health"), label="another method")
    piece = b" " * 65536
    pieces = [b'{"messages": [', *[piece] * (LARGE_BODY // len(piece))]
    await lab.client.request(
        "POST", lab.ask_path, label="a large body", body=pieces, headers=as_json, timeout=PATIENCE
    )
    await lab.client.request(
        "POST",
        lab.ask_path,
        label="a large body in chunks",
        body=pieces,
        chunked=True,
        headers=as_json,
        timeout=PATIENCE,
    )


async def _request_ids(lab: Lab, source: random.Random) -> None:
    """Send ids that are sane, and ids that are not."""
    await request_id.send_ids(lab, source)
    sane = request_id.sane(source)[1]
    await lab.get("/nowhere", label="sane id", headers={"x-request-id": sane})
    key = lab.key()
    body = {"messages": [bounds.user(prompt(key))]}
    await lab.client.json(
        "POST", lab.ask_path, body, label="sane id", key=key, headers={"x-request-id": sane[::-1]}
    )
    await asyncio.gather(*(lab.get("/nowhere", label="no id") for _ in range(20)))


async def _whole_conversation(lab: Lab, source: random.Random) -> None:
    """Ask with a conversation, a model and parameters of its own, and with nothing but a message."""
    for label, model in (
        ("conversation", plan.OTHER_MODEL),
        (f"conversation{plan.OF_THE_OTHER}", plan.OTHER_PROVIDERS_MODEL),
    ):
        key = lab.key()
        script(lab, key, Answered(delay=plan.DELAY, usage=plan.some_usage(source)))
        await _post(lab, plan.conversation_body(key, model), label=label, key=key)
    key = lab.key()
    await _post(lab, {"messages": [bounds.user(prompt(key))]}, label="defaults", key=key)


async def _priced(lab: Lab, model: str, source: random.Random) -> None:
    """Have a model answer twice, with other counts of tokens each time."""
    for _ in range(2):
        key = lab.key()
        script(lab, key, Answered(usage=plan.some_usage(source)))
        body = {"messages": [bounds.user(prompt(key))], "model": model}
        await _post(lab, body, label=f"priced: {model}", key=key)


async def _health(lab: Lab, label: str) -> bool:
    """Ask for the health until it says what is so, or time is up; whether it did."""
    deadline = lab.recorder.now() + HEALTH_SECONDS
    while True:
        answer = await lab.get(lab.endpoint("health"), label=label, timeout=HEALTH_PATIENCE)
        told = plan.tells(answer, up=label.startswith("up"))
        if told or lab.recorder.now() >= deadline:
            return told
        await asyncio.sleep(0.5)


async def _tokens_and_model(lab: Lab, most: int, when: str) -> None:
    for label, tokens in (("most tokens", most), ("more tokens", most + 1)):
        key = lab.key()
        body = {"messages": [bounds.user(prompt(key))], "max_tokens": tokens}
        await _post(lab, body, label=f"{label} {when}", key=key)


async def _spent(lab: Lab, label: str, step: Step) -> None:
    """Ask for an answer of the model that money is spent on."""
    key = lab.key()
    script(lab, key, step)
    body = {"messages": [bounds.user(prompt(key))], "model": plan.SPENDING_MODEL}
    await _post(lab, body, label=label, key=key)


def _stream_body(lab: Lab, key: str, model: str | None = None) -> dict[str, Any]:
    return {**lab.ask_body(key, model=model), "stream": True}


def _released() -> asyncio.Event:
    released = asyncio.Event()
    released.set()
    return released


async def _streamed(
    lab: Lab, label: str, step: Step, *, model: str | None = None, source: str | None = None
) -> str:
    """Ask for a stream of something new that meets a step; return its key."""
    key = lab.key()
    script(lab, key, step)
    body = _stream_body(lab, key, model)
    await lab.client.json("POST", lab.ask_path, body, label=label, key=key, source=source, timeout=PATIENCE)
    return key


async def _open_stream(lab: Lab, label: str, key: str, model: str | None = None) -> RawConnection:
    connection = await RawConnection.open(lab.client, label)
    body = json.dumps(_stream_body(lab, key, model)).encode()
    headers = {"content-type": "application/json", "accept": "text/event-stream"}
    connection.send("POST", lab.ask_path, body=body, headers=headers, key=key)
    return connection


async def _held_stream(lab: Lab, label: str, model: str) -> None:
    """Let the provider wait in the middle of its answer until the caller has the beginning."""
    key, release = lab.key(), asyncio.Event()
    script(lab, key, Held(release))
    connection = await _open_stream(lab, label, key, model)
    await connection.wait_for_part(plan.early_word(key), plan.STREAM_SECONDS)
    release.set()
    await connection.answer(PATIENCE)
    connection.close()


async def _abandoned_stream(lab: Lab) -> None:
    """Leave in the middle of a stream, and wait until the provider sees it."""
    key = lab.key()
    script(lab, key, Held(asyncio.Event()))
    connection = await _open_stream(lab, "abandoned", key)
    if await connection.wait_for_part(plan.early_word(key), plan.STREAM_SECONDS):
        connection.close()
        lab.phase("recovery")
        with contextlib.suppress(TimeoutError):
            await server(lab, "openai").wait_for_replies(1, key=key, timeout=plan.LEAVE_SECONDS + 3)
