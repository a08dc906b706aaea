"""The official client against the scripted model, which has OpenAI's API: all goes by the lab's client, and is recorded."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from chaos.history import Answer, ClientResult, Request
from chaos.http_client import Client
from chaos.keys import Keys, expected_answer
from chaos.llm import Raw, ScriptedLLM, Status
from chaos.ports import free_port
from chaos.recorder import Recorder
from exercises.project61.official_client import OfficialClient
from lab.prompts import prompt

KEY = next(Keys(7, "official client"))
MESSAGES: Any = [{"role": "user", "content": prompt(KEY)}]


@pytest.fixture
async def model() -> AsyncIterator[ScriptedLLM]:
    async with ScriptedLLM(Recorder(), models=["small"]) as scripted:
        yield scripted


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def client(model: ScriptedLLM, recorder: Recorder) -> OfficialClient:
    return OfficialClient(Client(model.url, recorder), path="/v1", token="t0ken")


async def test_a_chat_is_recorded_with_what_the_library_returned(
    client: OfficialClient, recorder: Recorder
) -> None:
    await client.call(
        lambda openai: openai.chat.completions.create(model="small", messages=MESSAGES), label="chat", key=KEY
    )

    [request], [answer] = recorder.history().of(Request), recorder.history().of(Answer)
    [result] = recorder.history().of(ClientResult)
    assert (request.method, request.path, request.label, request.key) == (
        "POST",
        "/v1/chat/completions",
        "chat",
        KEY,
    )
    assert result.request == request.request == answer.request
    assert not result.raised
    assert json.loads(result.returned)["choices"][0]["message"]["content"] == expected_answer(KEY)


async def test_a_token_stays_out_of_the_record(client: OfficialClient, recorder: Recorder) -> None:
    await client.call(lambda openai: openai.models.list(), label="models")

    [request] = recorder.history().of(Request)
    assert "t0ken" not in request.model_dump_json()


async def test_a_stream_is_a_list_of_chunks(client: OfficialClient, recorder: Recorder) -> None:
    await client.call(
        lambda openai: openai.chat.completions.create(model="small", messages=MESSAGES, stream=True),
        label="stream",
    )

    [result] = recorder.history().of(ClientResult)
    texts = [chunk["choices"][0]["delta"].get("content") or "" for chunk in json.loads(result.returned)]
    assert "".join(texts) == expected_answer(KEY)


async def test_an_error_is_recorded_by_its_type(
    client: OfficialClient, model: ScriptedLLM, recorder: Recorder
) -> None:
    model.default(Status(429))

    await client.call(
        lambda openai: openai.chat.completions.create(model="small", messages=MESSAGES), label="chat"
    )

    [result] = recorder.history().of(ClientResult)
    assert (result.returned, result.raised) == ("", "RateLimitError")
    assert len(model.calls()) == 1  # without retries


@pytest.mark.parametrize("body", [b"", b"[]", b'{"choices": 7}', b"\xff\xfe", b"[" * 100_000])
async def test_whatever_an_answer_holds_the_lab_goes_on(
    client: OfficialClient, model: ScriptedLLM, recorder: Recorder, body: bytes
) -> None:
    model.default(Raw(body))

    await client.call(
        lambda openai: openai.chat.completions.create(model="small", messages=MESSAGES), label="chat"
    )

    assert len(recorder.history().of(ClientResult)) == 1


async def test_a_service_that_is_gone_is_recorded(recorder: Recorder) -> None:
    client = OfficialClient(Client(f"http://127.0.0.1:{free_port()}", recorder), path="/v1", token="t")

    await client.call(lambda openai: openai.models.list(), label="models")

    [result] = recorder.history().of(ClientResult)
    assert result.raised == "APIConnectionError"
