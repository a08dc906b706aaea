"""The experiments of part 1: the official client and others use the API, and streams are held, broken and left."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from chaos.keys import expected_answer
from chaos.llm import Answer, Hang, Held
from chaos.raw_connection import RawConnection
from exercises.project61.chat import open_chat, usage_to_report
from exercises.project61.part1_functionality.axes import (
    ANSWERS,
    ASKED_FOR_USAGE,
    BREAKS,
    CONVERSATION,
    FAILURES,
    INPUT_OPTIONS,
    INPUTS,
    SENT,
    SILENCE,
)
from exercises.project61.part1_functionality.parameters import conversation
from exercises.project61.part1_functionality.wrong_requests import FAILING, Wrong, right_body
from exercises.project61.usage_report import tokens_used
from lab.experiment import experiment
from lab.lab import Lab
from lab.prompts import prompt

if TYPE_CHECKING:
    from exercises.project61.official_client import OfficialClient

__all__ = ["requests", "streams"]

SILENCE_SECONDS = 30.0
"""How long a backend may be silent in a stream until the caller has to be told."""
PART_SECONDS = 8.0
LEAVE_SECONDS = 5.0
PATIENCE_SECONDS = 15.0
USAGE_SECONDS = 10.0
USAGE_POLL_SECONDS = 0.5
STREAM_USER = "premium"
"""Only streams are asked for in this user's name, so that all usage is theirs."""


@experiment(seconds=9)
async def requests(lab: Lab) -> None:
    """The official client and others ask for chats, streams, embeddings and models, with every parameter, and wrongly."""
    client = (await asyncio.to_thread(_official_client))(lab.client, path=_root(lab), token=lab.token)
    await asyncio.gather(_use(lab, client), _count_streams(lab, client), _send_parameters(lab))
    lab.phase("fault")
    await asyncio.gather(*(_ask_wrongly(lab, f"wrong: {name}", wrong) for name, wrong in lab.vary(FAILURES)))
    await _ask_wrongly(lab, "wrong: a backend that fails", FAILING)


@experiment(seconds=SILENCE_SECONDS)
async def streams(lab: Lab) -> None:
    """Streams are held in the middle, break there or fall silent, and callers leave."""
    silent = asyncio.create_task(_break(lab, SILENCE))
    await _hold(lab)
    await asyncio.gather(
        *(_leave(lab, f"left: {name}", streamed=streamed) for name, streamed in lab.vary(ANSWERS))
    )
    lab.phase("fault")
    for name, _ in lab.vary(BREAKS):
        if name != SILENCE:
            await _break(lab, name)
            await lab.generate(label="between")
    await silent


def _official_client() -> "type[OfficialClient]":
    from exercises.project61.official_client import OfficialClient  # noqa: PLC0415  it takes a second to import

    return OfficialClient


def _root(lab: Lab) -> str:
    """Return where OpenAI's API begins."""
    return lab.ask_path.removesuffix("/chat/completions")


async def _use(lab: Lab, client: "OfficialClient") -> None:
    """Do what an application does first, with every model."""
    assert lab.contract.ask
    await client.call(lambda openai: openai.models.list(), label="models")
    for model in lab.contract.ask.models:
        await _chat(lab, client, f"chat: {model}", model=model)
    for name, texts in lab.vary(INPUTS):
        await _embed(lab, client, f"embeddings: {name}", texts, INPUT_OPTIONS.get(name, {}))


async def _chat(lab: Lab, client: "OfficialClient", label: str, **fields: Any) -> None:
    key = lab.key()
    lab.llm.script(key, Answer(usage=usage_to_report(key)))
    sent = {**lab.ask_body(key), **fields}
    await client.call(lambda openai: openai.chat.completions.create(**sent), label=label, key=key)


async def _embed(lab: Lab, client: "OfficialClient", label: str, texts: int, options: dict[str, Any]) -> None:
    keys = [lab.key() for _ in range(texts)]
    # The keys tell the check what was embedded, in which order.
    given: Any = [prompt(key) for key in keys] if texts > 1 else prompt(keys[0])
    await client.call(
        lambda openai: openai.embeddings.create(model=lab.model, input=given, **options),
        label=label,
        key=" ".join(keys),
    )


async def _count_streams(lab: Lab, client: "OfficialClient") -> None:
    """Ask for streams in the name of one user, with and without their usage, until `GET /v1/usage` has counted them."""
    token = await lab.login(STREAM_USER)
    # A database may take a moment after the start.
    before = await _await_usage(lab, token, "usage before", bool)
    expected = before or (0, 0)
    for name, asked in lab.vary(ASKED_FOR_USAGE):
        key = lab.key()
        usage = usage_to_report(key)
        lab.llm.script(key, Answer(usage=usage))
        expected = expected[0] + usage[0], expected[1] + usage[1]
        sent = {**lab.ask_body(key), "stream": True}
        if asked:
            sent["stream_options"] = {"include_usage": True}
        await client.call(
            lambda openai, sent=sent: openai.chat.completions.create(**sent),  # type: ignore[misc]
            label=f"streamed: {name}",
            key=key,
            token=token,
        )
    await _await_usage(lab, token, "usage after", lambda used: used == expected)


async def _await_usage(
    lab: Lab, token: str, label: str, enough: Callable[[tuple[int, int] | None], bool]
) -> tuple[int, int] | None:
    """Ask for the usage until it is what is waited for, or time is up; return what it is then."""
    deadline = lab.recorder.now() + USAGE_SECONDS
    while True:
        used = tokens_used(await lab.get(lab.endpoint("usage"), label=label, token=token))
        if enough(used) or lab.recorder.now() > deadline:
            return used
        await asyncio.sleep(USAGE_POLL_SECONDS)


async def _send_parameters(lab: Lab) -> None:
    """Send each kind of parameters, in requests for whole answers and for streams."""
    for name, fields, _, streamed in lab.pairs(SENT, ANSWERS):
        key = lab.key()
        body = {"model": lab.model, "messages": lab.ask_body(key)["messages"], **fields}
        if name == CONVERSATION:
            body["messages"] = conversation(prompt(key))
        if streamed:
            body["stream"] = True
        await _post_chat(lab, f"parameters: {name}", key, body)


async def _ask_wrongly(lab: Lab, label: str, wrong: Wrong) -> None:
    key = lab.key()
    if wrong.step:
        lab.llm.script(key, wrong.step)
    tokens = {"usual": lab.token, "nobody": "", "forger": f"sk-{key}{key}"}
    token = tokens[wrong.caller] if wrong.caller in tokens else await lab.login(wrong.caller)
    await lab.client.request(
        wrong.method,
        _root(lab) + wrong.path,
        label=label,
        body=b"" if wrong.method != "POST" else right_body(key) if wrong.body is None else wrong.body,
        headers={"content-type": "application/json"} if wrong.method == "POST" else {},
        token=token or None,
        key=key if wrong.step else None,
        timeout=2 * PATIENCE_SECONDS,
    )


async def _hold(lab: Lab) -> None:
    """Have the backend hold back the second half of an answer until the first has come, or has not for long enough."""
    key, release = lab.key(), asyncio.Event()
    lab.llm.script(key, Held(release))
    connection = await _open(lab, "held", key, streamed=True)
    await connection.wait_for_part(expected_answer(key).split()[0], PART_SECONDS)
    release.set()
    await connection.answer(PATIENCE_SECONDS)
    connection.close()


async def _leave(lab: Lab, label: str, *, streamed: bool) -> None:
    """Leave while the backend is at work, and wait until it sees that."""
    key = lab.key()
    lab.llm.script(key, Held(asyncio.Event()) if streamed else Hang())
    connection = await _open(lab, label, key, streamed=streamed)
    with contextlib.suppress(TimeoutError):
        await lab.llm.wait_for_calls(1, key=key, timeout=PATIENCE_SECONDS)
    if streamed:
        await connection.wait_for_part(expected_answer(key).split()[0], PART_SECONDS)
    connection.close()
    with contextlib.suppress(TimeoutError):
        await lab.llm.wait_for_replies(1, key=key, timeout=LEAVE_SECONDS + 1)


async def _break(lab: Lab, name: str) -> None:
    key = lab.key()
    lab.llm.script(key, BREAKS.values[name]())
    body = {**lab.ask_body(key), "stream": True}
    await _post_chat(lab, f"broken: {name}", key, body, timeout=SILENCE_SECONDS + 2)


async def _post_chat(
    lab: Lab, label: str, key: str, body: dict[str, Any], *, timeout: float = PATIENCE_SECONDS
) -> None:
    await lab.client.json("POST", lab.ask_path, body, label=label, key=key, token=lab.token, timeout=timeout)


async def _open(lab: Lab, label: str, key: str, *, streamed: bool) -> RawConnection:
    return await open_chat(lab, label, key, {**lab.ask_body(key), "stream": streamed})
