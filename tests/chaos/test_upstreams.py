import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import asyncpg
import httpx
import pytest
from anthropic import AsyncAnthropic, OverloadedError
from openai import APIConnectionError, AsyncOpenAI

from chaos.contract import Contract
from chaos.history import Call, Fault, Reply
from chaos.keys import Keys, expected_answer
from chaos.llm import ScriptedLLM, Status
from chaos.mlflow import MlflowStandIn
from chaos.postgres import PostgresDatabase, PostgresServer
from chaos.proxy_server import proxy_server
from chaos.recorder import Recorder
from chaos.upstreams import Upstreams

pytestmark = pytest.mark.medium

KEY = next(Keys(1, "upstreams"))
DATABASE_URL = "postgresql://$user:$password@$host:$port/$database"
CONTRACT = Contract.model_validate(
    {
        "start": {"main": "app.py", "service": "app", "dockerfiles": [], "example": "python app.py"},
        "upstreams": {
            "openai": {"kind": "model", "variables": {"OPENAI_BASE_URL": "$url/v1"}},
            "tei": {"kind": "tei"},
            "anthropic": {"kind": "model", "variables": {"ANTHROPIC_BASE_URL": "$url"}},
            "database": {"kind": "postgres", "variables": {"DATABASE_URL": DATABASE_URL}},
        },
        "endpoints": {"alive": "/"},
    }
)


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
async def upstreams(recorder: Recorder) -> AsyncIterator[Upstreams]:
    async with (
        proxy_server(seed=1, env={"PATH": os.environ["PATH"]}) as server,
        contextlib.aclosing(PostgresServer()) as postgres,
        Upstreams("upstreams", CONTRACT, server.client, recorder, postgres=postgres) as upstreams,
    ):
        yield upstreams


async def test_each_of_two_models_has_its_own_script_and_its_own_calls(
    upstreams: Upstreams, recorder: Recorder
) -> None:
    upstreams.of(ScriptedLLM, "anthropic").script(KEY, Status(529))
    async with (
        AsyncOpenAI(base_url=f"{upstreams.url('openai')}/v1", api_key="k", max_retries=0) as openai,
        AsyncAnthropic(base_url=upstreams.url("anthropic"), api_key="k", max_retries=0) as anthropic,
    ):
        with pytest.raises(OverloadedError):
            await anthropic.messages.create(
                model="a", max_tokens=10, messages=[{"role": "user", "content": KEY}]
            )
        answer = await openai.chat.completions.create(model="o", messages=[{"role": "user", "content": KEY}])
    assert answer.choices[0].message.content == expected_answer(KEY)

    history = recorder.history()
    [first] = history.calls("anthropic", key=KEY)
    [second] = history.calls("openai", key=KEY)
    assert (first.call.model, first.call.step) == ("a", "status 529")
    assert (second.call.model, second.call.step) == ("o", "answer")
    assert second.call.call > first.call.call
    assert CONTRACT.model == "openai"


async def test_a_server_is_found_by_its_type_and_its_name(upstreams: Upstreams) -> None:
    first = upstreams.of(ScriptedLLM)

    assert first is upstreams.of(ScriptedLLM, "openai")
    assert first is not upstreams.of(ScriptedLLM, "anthropic")
    for kind, name in ((MlflowStandIn, None), (ScriptedLLM, "tei"), (ScriptedLLM, "other")):
        with pytest.raises(LookupError, match=name or "Mlflow"):
            upstreams.of(kind, name)


async def test_a_reset_breaks_connections_that_the_upstream_has_taken(
    upstreams: Upstreams, recorder: Recorder
) -> None:
    async with AsyncOpenAI(base_url=f"{upstreams.url('openai')}/v1", api_key="k", max_retries=0) as openai:
        await upstreams.reset("openai")
        with pytest.raises(APIConnectionError):
            await openai.chat.completions.create(model="o", messages=[{"role": "user", "content": KEY}])
        await upstreams.heal("openai")
        answer = await openai.chat.completions.create(model="o", messages=[{"role": "user", "content": KEY}])
    assert answer.choices[0].message.content == expected_answer(KEY)

    history = recorder.history()
    assert len(history.calls("openai", key=KEY)) == 2
    assert [(fault.name, fault.on) for fault in history.of(Fault)] == [("reset", True), ("heal", False)]


@pytest.mark.parametrize("name", ["openai", "tei"])
@pytest.mark.parametrize(
    ("fault", "seen"),
    [("close", httpx.RemoteProtocolError), ("garbage", httpx.RemoteProtocolError), ("status", 503)],
)
async def test_an_upstream_that_is_out_of_order_answers_nothing_right_until_it_is_healed(
    upstreams: Upstreams, recorder: Recorder, name: str, fault: str, seen: int | type[Exception]
) -> None:
    page = f"{upstreams.url(name)}/health"
    async with httpx.AsyncClient() as client:
        if isinstance(seen, int):
            await upstreams.status(name, seen)
            assert (await client.get(page)).status_code == seen
        else:
            await (upstreams.close if fault == "close" else upstreams.garbage)(name)
            with pytest.raises(seen):
                await client.get(page)
        await upstreams.heal(name)
        assert (await client.get(page)).status_code == 200

    history = recorder.history()
    assert [(one.name, one.on) for one in history.of(Fault)] == [(fault, True), ("heal", False)]
    assert [call.counted for call in history.of(Call)] == [False, False]
    assert [reply.outcome for reply in history.of(Reply)][-1] == "answered"


async def test_an_upstream_that_drips_answers_byte_by_byte_without_end(
    upstreams: Upstreams, recorder: Recorder
) -> None:
    await upstreams.drip("tei")
    address = urlsplit(upstreams.url("tei"))
    assert address.port
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    writer.write(b"GET /health HTTP/1.1\r\nHost: tei\r\n\r\n")
    head = await reader.readuntil(b"\r\n\r\n")
    drops = [await reader.readuntil(b"\r\n \r\n") for _ in range(2)]
    writer.close()
    await upstreams.heal("tei")

    assert head.split()[1] == b"200"
    assert len(drops) == 2
    assert [(one.name, one.on) for one in recorder.history().of(Fault)] == [("drip", True), ("heal", False)]


async def test_a_database_is_reached_by_its_proxy(upstreams: Upstreams) -> None:
    given = CONTRACT.environment({}, upstreams.addresses, origin="", credentials=upstreams.credentials)
    url = given["DATABASE_URL"]

    connection = await asyncpg.connect(url)
    await connection.execute("CREATE TABLE notes (text TEXT)")
    await upstreams.outage("database")
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
        await connection.execute("INSERT INTO notes VALUES ('lost')")
    with pytest.raises(ConnectionRefusedError):
        await asyncpg.connect(url)
    await upstreams.heal("database")
    connection = await asyncpg.connect(url)
    await connection.execute("INSERT INTO notes VALUES ('kept')")
    await connection.close()

    assert await upstreams.of(PostgresDatabase).query("SELECT text FROM notes") == "kept"
