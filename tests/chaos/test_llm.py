import asyncio
import base64
import itertools
import json
import math
import struct
from collections.abc import AsyncIterator, Callable

import httpx
import pytest
from openai import (
    APIConnectionError,
    APIError,
    APIResponseValidationError,
    APIStatusError,
    APITimeoutError,
    AsyncOpenAI,
    AuthenticationError,
    BadRequestError,
    InternalServerError,
    NotFoundError,
    RateLimitError,
)
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from chaos.history import Call, Connection, Reply
from chaos.http_server import MAX_BODY_BYTES
from chaos.keys import Keys, answer_code, expected_answer
from chaos.llm import (
    After,
    Answer,
    BrokenStream,
    ByModel,
    Closed,
    Drip,
    EmptyObject,
    ErrorInStream,
    Hang,
    Held,
    MalformedJson,
    NoChoices,
    RateLimited,
    Raw,
    Reset,
    ScriptedLLM,
    StalledStream,
    Status,
    Truncated,
    WrongContentType,
)
from chaos.recorder import Recorder
from chaos.stand_in import TOO_LARGE
from chaos.vectors import MOST_CHARACTERS
from tests.chaos.scripted import PATIENCE, only_call

pytestmark = pytest.mark.medium

MODELS = ("model-one", "model-two")
KEY, OTHER = itertools.islice(Keys(1, "test"), 2)


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
async def llm(recorder: Recorder) -> AsyncIterator[ScriptedLLM]:
    async with ScriptedLLM(recorder, models=MODELS) as llm:
        yield llm


@pytest.fixture
async def sdk(llm: ScriptedLLM) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(base_url=f"{llm.url}/v1", api_key="k", max_retries=0, timeout=PATIENCE) as sdk:
        yield sdk


async def ask(
    sdk: AsyncOpenAI, key: str | None = KEY, timeout: float = PATIENCE, model: str = MODELS[0]
) -> ChatCompletion:
    return await sdk.chat.completions.create(
        model=model, messages=[{"role": "user", "content": f"Where is {key}?"}], timeout=timeout
    )


async def stream(
    sdk: AsyncOpenAI, see: Callable[[ChatCompletionChunk], None], timeout: float = PATIENCE
) -> None:
    """Show each piece of a streamed answer to `see`, so that those before a failure are seen."""
    pieces = await sdk.chat.completions.create(
        model=MODELS[0],
        messages=[{"role": "user", "content": f"Where is {KEY}?"}],
        stream=True,
        stream_options={"include_usage": True},
        timeout=timeout,
    )
    async for piece in pieces:
        see(piece)


def text(pieces: list[ChatCompletionChunk]) -> str:
    return "".join(piece.choices[0].delta.content or "" for piece in pieces if piece.choices)


async def test_an_answer_holds_what_only_the_key_gives(
    llm: ScriptedLLM, sdk: AsyncOpenAI, recorder: Recorder
) -> None:
    raw = await sdk.chat.completions.with_raw_response.create(
        model=MODELS[1], messages=[{"role": "user", "content": KEY}]
    )
    answer = raw.parse()
    assert answer.choices[0].message.content == expected_answer(KEY)
    assert answer.choices[0].finish_reason == "stop"
    assert answer.model == MODELS[1]
    assert answer.usage is not None
    assert answer.usage.prompt_tokens > 0
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
    assert float(raw.headers["x-litellm-response-cost"]) > 0

    call, reply = await only_call(llm, recorder)
    assert (call.key, call.step, call.path, call.counted) == (KEY, "answer", "/v1/chat/completions", True)
    assert (call.connection, reply.outcome, reply.status) == (1, "answered", 200)


async def test_a_call_is_recorded_with_its_model_and_the_beginning_of_its_body(
    llm: ScriptedLLM, sdk: AsyncOpenAI, recorder: Recorder
) -> None:
    await ask(sdk)
    await sdk.chat.completions.create(
        model=MODELS[1], messages=[{"role": "user", "content": f"{OTHER} " + "long " * 10_000}]
    )
    await sdk.models.list()
    await sdk.embeddings.create(model=MODELS[0], input=KEY)

    small, large = (one.call for one in recorder.history().calls("litellm"))
    assert small.model == MODELS[0]
    assert json.loads(small.asked)["messages"] == [{"role": "user", "content": f"Where is {KEY}?"}]
    assert (large.model, len(large.asked)) == (MODELS[1], 16 * 1024)
    others = [call for call in recorder.history().of(Call) if not call.counted]
    assert [(call.model, call.asked) for call in others] == [(None, "")] * 2


async def test_a_call_with_too_large_a_body_is_recorded(llm: ScriptedLLM, recorder: Recorder) -> None:
    async with httpx.AsyncClient() as http:
        large = bytes(MAX_BODY_BYTES + 1)
        assert (await http.post(f"{llm.url}/v1/chat/completions", content=large)).status_code == 413

    [call] = recorder.history().of(Call)
    assert (call.step, call.counted) == (TOO_LARGE, False)
    assert [reply.status for reply in recorder.history().of(Reply)] == [413]


async def test_a_streamed_answer_comes_in_pieces(
    llm: ScriptedLLM, sdk: AsyncOpenAI, recorder: Recorder
) -> None:
    pieces: list[ChatCompletionChunk] = []
    await stream(sdk, pieces.append)
    assert text(pieces) == expected_answer(KEY)
    assert len(pieces) > 5
    assert pieces[-2].choices[0].finish_reason == "stop"
    assert pieces[-1].usage is not None
    _, reply = await only_call(llm, recorder)
    assert (reply.outcome, reply.status) == ("answered", 200)


async def test_an_answer_can_be_late_and_say_anything(
    llm: ScriptedLLM, sdk: AsyncOpenAI, recorder: Recorder
) -> None:
    llm.script(KEY, Answer(delay=0.2, content="forty-two", cost=None))
    answer = await ask(sdk)
    assert answer.choices[0].message.content == "forty-two"
    call, reply = await only_call(llm, recorder)
    assert reply.t - call.t >= 0.2


async def test_an_answer_reports_the_tokens_that_it_is_told_to(llm: ScriptedLLM, sdk: AsyncOpenAI) -> None:
    llm.script(KEY, Answer(usage=(1200, 34)))
    answer = await ask(sdk)
    pieces: list[ChatCompletionChunk] = []
    await stream(sdk, pieces.append)
    for usage in (answer.usage, pieces[-1].usage):
        assert usage is not None
        assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (1200, 34, 1234)


async def test_a_client_that_leaves_during_the_delay_is_seen_to(
    llm: ScriptedLLM, sdk: AsyncOpenAI, recorder: Recorder
) -> None:
    llm.default(Answer(delay=60.0))
    with pytest.raises(APITimeoutError):
        await ask(sdk, timeout=0.5)
    _, reply = await only_call(llm, recorder)
    assert (reply.outcome, reply.status) == ("client-gone", None)


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (400, BadRequestError),
        (401, AuthenticationError),
        (404, NotFoundError),
        (429, RateLimitError),
        (500, InternalServerError),
        (503, InternalServerError),
    ],
)
async def test_a_status_is_told_in_an_error_body(
    llm: ScriptedLLM, sdk: AsyncOpenAI, recorder: Recorder, code: int, error: type[APIStatusError]
) -> None:
    llm.script(KEY, Status(code, message="no luck", headers={"x-extra": "1"}, detail="canary-5e"))
    with pytest.raises(error) as caught:
        await ask(sdk)
    body = caught.value.response.json()["error"]
    assert body["message"] == "no luck canary-5e"
    assert body["code"] == str(code)
    assert set(body) == {"message", "type", "param", "code"}
    assert caught.value.response.headers["x-extra"] == "1"
    call, reply = await only_call(llm, recorder)
    assert (call.step, reply.outcome, reply.status) == (f"status {code}", "answered", code)


async def test_a_rate_limit_says_when_to_come_back(
    llm: ScriptedLLM, sdk: AsyncOpenAI, recorder: Recorder
) -> None:
    llm.script(KEY, RateLimited(retry_after=7))
    with pytest.raises(RateLimitError) as caught:
        await ask(sdk)
    assert caught.value.response.headers["retry-after"] == "7"
    assert caught.value.response.headers["llm_provider-retry-after"] == "7"
    call, reply = await only_call(llm, recorder)
    assert (call.step, reply.outcome, reply.status) == ("rate-limited", "answered", 429)


async def test_hang_lasts_until_the_client_is_gone(
    llm: ScriptedLLM, sdk: AsyncOpenAI, recorder: Recorder
) -> None:
    llm.script(KEY, Hang())
    with pytest.raises(APITimeoutError):
        await ask(sdk, timeout=0.5)
    call, reply = await only_call(llm, recorder)
    assert (call.step, reply.outcome, reply.status) == ("hang", "client-gone", None)
    assert [event.state for event in recorder.history().of(Connection)] == ["opened", "eof"]


@pytest.mark.parametrize("streamed", [False, True])
async def test_drip_outlasts_a_timeout_that_counts_from_the_last_byte(
    llm: ScriptedLLM, sdk: AsyncOpenAI, recorder: Recorder, *, streamed: bool
) -> None:
    llm.script(KEY, Drip(interval=0.1))
    patience = 0.75
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(2 * patience):
            await (stream(sdk, _ignore, timeout=patience) if streamed else ask(sdk, timeout=patience))
    call, reply = await only_call(llm, recorder)
    assert (call.step, reply.outcome, reply.status) == ("drip", "client-gone", 200)
    assert reply.t - call.t >= 2 * patience - 0.25


@pytest.mark.parametrize("streamed", [False, True])
async def test_drip_with_a_total_ends_in_the_real_answer(
    llm: ScriptedLLM, sdk: AsyncOpenAI, recorder: Recorder, *, streamed: bool
) -> None:
    llm.script(KEY, Drip(interval=0.05, total=0.2))
    if streamed:
        pieces: list[ChatCompletionChunk] = []
        await stream(sdk, pieces.append)
        assert text(pieces) == expected_answer(KEY)
    else:
        assert (await ask(sdk)).choices[0].message.content == expected_answer(KEY)
    call, reply = await only_call(llm, recorder)
    assert reply.outcome == "answered"
    assert reply.t - call.t >= 0.2


@pytest.mark.parametrize("streamed", [False, True])
async def test_malformed_json_cannot_be_read(
    llm: ScriptedLLM, sdk: AsyncOpenAI, recorder: Recorder, *, streamed: bool
) -> None:
    llm.script(KEY, MalformedJson())
    with pytest.raises((json.JSONDecodeError, APIResponseValidationError)):
        await (stream(sdk, _ignore) if streamed else ask(sdk))
    call, reply = await only_call(llm, recorder)
    assert (call.step, reply.outcome, reply.status) == ("malformed-json", "answered", 200)


async def test_an_empty_object_has_no_choices_at_all(
    llm: ScriptedLLM, sdk: AsyncOpenAI, recorder: Recorder
) -> None:
    llm.script(KEY, EmptyObject())
    answer = await ask(sdk)
    assert answer.to_dict() == {}
    call, reply = await only_call(llm, recorder)
    assert (call.step, reply.outcome, reply.status) == ("empty-object", "answered", 200)


async def test_an_empty_object_in_a_stream(llm: ScriptedLLM, sdk: AsyncOpenAI, recorder: Recorder) -> None:
    llm.script(KEY, EmptyObject())
    pieces: list[ChatCompletionChunk] = []
    await stream(sdk, pieces.append)
    assert [piece.to_dict() for piece in pieces] == [{}]
    _, reply = await only_call(llm, recorder)
    assert (reply.outcome, reply.status) == ("answered", 200)


async def test_no_choices(llm: ScriptedLLM, sdk: AsyncOpenAI, recorder: Recorder) -> None:
    llm.script(KEY, NoChoices())
    assert (await ask(sdk)).choices == []
    pieces: list[ChatCompletionChunk] = []
    await stream(sdk, pieces.append)
    assert [piece.choices for piece in pieces] == [[]]
    replies = await llm.wait_for_replies(2)
    assert [(reply.outcome, reply.status) for reply in replies] == [("answered", 200)] * 2
    assert {call.step for call in llm.calls()} == {"no-choices"}


async def test_a_page_of_html_is_no_completion(
    llm: ScriptedLLM, sdk: AsyncOpenAI, recorder: Recorder
) -> None:
    llm.script(KEY, WrongContentType())
    answer: object = await ask(sdk)
    assert isinstance(answer, str)
    assert "<html>" in answer
    pieces: list[ChatCompletionChunk] = []
    await stream(sdk, pieces.append)
    assert pieces == []
    replies = await llm.wait_for_replies(2)
    assert [(reply.outcome, reply.status) for reply in replies] == [("answered", 200)] * 2
    assert {call.step for call in llm.calls()} == {"wrong-content-type"}


async def test_a_truncated_body_is_a_connection_error(
    llm: ScriptedLLM, sdk: AsyncOpenAI, recorder: Recorder
) -> None:
    llm.script(KEY, Truncated())
    with pytest.raises(APIConnectionError) as caught:
        await ask(sdk)
    assert not isinstance(caught.value, APITimeoutError)
    call, reply = await only_call(llm, recorder)
    assert (call.step, reply.outcome, reply.status) == ("truncated", "broken", 200)


async def test_a_truncated_stream_breaks_after_some_pieces(
    llm: ScriptedLLM, sdk: AsyncOpenAI, recorder: Recorder
) -> None:
    llm.script(KEY, Truncated())
    pieces: list[ChatCompletionChunk] = []
    with pytest.raises(APIConnectionError):
        await stream(sdk, pieces.append)
    assert 0 < len(text(pieces)) < len(expected_answer(KEY))
    _, reply = await only_call(llm, recorder)
    assert (reply.outcome, reply.status) == ("broken", 200)


async def test_a_stalled_body_never_ends(llm: ScriptedLLM, sdk: AsyncOpenAI, recorder: Recorder) -> None:
    llm.script(KEY, StalledStream())
    with pytest.raises(APITimeoutError):
        await ask(sdk, timeout=0.5)
    call, reply = await only_call(llm, recorder)
    assert (call.step, reply.outcome, reply.status) == ("stalled-stream", "client-gone", 200)


async def test_a_stalled_stream_never_ends(llm: ScriptedLLM, sdk: AsyncOpenAI, recorder: Recorder) -> None:
    llm.script(KEY, StalledStream())
    pieces: list[ChatCompletionChunk] = []
    with pytest.raises(APITimeoutError):
        await stream(sdk, pieces.append, timeout=1.0)
    assert 0 < len(text(pieces)) < len(expected_answer(KEY))
    _, reply = await only_call(llm, recorder)
    assert (reply.outcome, reply.status) == ("client-gone", 200)


async def test_a_broken_stream_ends_without_done_or_finish_reason(
    llm: ScriptedLLM, sdk: AsyncOpenAI, recorder: Recorder
) -> None:
    llm.script(KEY, BrokenStream())
    pieces: list[ChatCompletionChunk] = []
    await stream(sdk, pieces.append)
    assert 0 < len(text(pieces)) < len(expected_answer(KEY))
    assert answer_code(KEY) not in text(pieces)
    assert all(choice.finish_reason is None for piece in pieces for choice in piece.choices)
    call, reply = await only_call(llm, recorder)
    assert (call.step, reply.outcome, reply.status) == ("broken-stream", "broken", 200)


async def test_a_broken_stream_without_streaming_is_half_a_body(
    llm: ScriptedLLM, sdk: AsyncOpenAI, recorder: Recorder
) -> None:
    llm.script(KEY, BrokenStream())
    with pytest.raises((json.JSONDecodeError, APIResponseValidationError)):
        await ask(sdk)
    _, reply = await only_call(llm, recorder)
    assert (reply.outcome, reply.status) == ("broken", 200)


async def test_a_held_stream_goes_on_when_it_is_released(
    llm: ScriptedLLM, sdk: AsyncOpenAI, recorder: Recorder
) -> None:
    release = asyncio.Event()
    llm.script(KEY, Held(release))
    pieces: list[ChatCompletionChunk] = []
    begun = asyncio.Event()

    def see(piece: ChatCompletionChunk) -> None:
        pieces.append(piece)
        if len(text(pieces).split()) >= 2:
            begun.set()

    streaming = asyncio.create_task(stream(sdk, see))
    async with asyncio.timeout(PATIENCE):
        await begun.wait()
    await asyncio.sleep(0.1)
    assert answer_code(KEY) not in text(pieces)
    assert not streaming.done()
    release.set()
    await streaming
    assert text(pieces) == expected_answer(KEY)
    assert pieces[-1].usage is not None
    call, reply = await only_call(llm, recorder)
    assert (call.step, reply.outcome, reply.status) == ("held", "answered", 200)


async def test_a_held_stream_can_break_when_it_is_released(
    llm: ScriptedLLM, sdk: AsyncOpenAI, recorder: Recorder
) -> None:
    release = asyncio.Event()
    llm.script(KEY, Held(release, broken=True))
    pieces: list[ChatCompletionChunk] = []

    def see(piece: ChatCompletionChunk) -> None:
        pieces.append(piece)
        if text(pieces):
            release.set()

    with pytest.raises(APIConnectionError):
        await stream(sdk, see)
    assert 0 < len(text(pieces)) < len(expected_answer(KEY))
    call, reply = await only_call(llm, recorder)
    assert (call.step, reply.outcome, reply.status) == ("held", "broken", 200)


async def test_a_held_stream_ends_with_its_client(
    llm: ScriptedLLM, sdk: AsyncOpenAI, recorder: Recorder
) -> None:
    llm.script(KEY, Held(asyncio.Event()))
    with pytest.raises(APITimeoutError):
        await stream(sdk, _ignore, timeout=0.5)
    _, reply = await only_call(llm, recorder)
    assert (reply.outcome, reply.status) == ("client-gone", 200)


async def test_an_answer_that_is_not_streamed_can_be_held_too(
    llm: ScriptedLLM, sdk: AsyncOpenAI, recorder: Recorder
) -> None:
    release = asyncio.Event()
    llm.script(KEY, Held(release))
    asking = asyncio.create_task(ask(sdk))
    [call] = await llm.wait_for_calls(1)
    await asyncio.sleep(0.1)
    release.set()
    assert (await asking).choices[0].message.content == expected_answer(KEY)
    _, reply = await only_call(llm, recorder)
    assert reply.t - call.t >= 0.1


async def test_an_error_comes_in_the_middle_of_a_stream(
    llm: ScriptedLLM, sdk: AsyncOpenAI, recorder: Recorder
) -> None:
    llm.script(KEY, ErrorInStream(429, message="too much", detail="canary-5e"))
    pieces: list[ChatCompletionChunk] = []
    with pytest.raises(APIError, match="too much canary-5e") as caught:
        await stream(sdk, pieces.append)
    assert (caught.value.code, caught.value.type) == ("429", "throttling_error")
    assert 0 < len(text(pieces)) < len(expected_answer(KEY))
    call, reply = await only_call(llm, recorder)
    assert (call.step, reply.outcome, reply.status) == ("error-in-stream", "broken", 200)


async def test_an_error_in_a_stream_is_a_status_without_streaming(
    llm: ScriptedLLM, sdk: AsyncOpenAI, recorder: Recorder
) -> None:
    llm.script(KEY, ErrorInStream())
    with pytest.raises(InternalServerError):
        await ask(sdk)
    _, reply = await only_call(llm, recorder)
    assert (reply.outcome, reply.status) == ("answered", 500)


async def test_reset_breaks_the_connection_once_the_request_is_read(
    llm: ScriptedLLM, sdk: AsyncOpenAI, recorder: Recorder
) -> None:
    llm.script(KEY, Reset())
    with pytest.raises(APIConnectionError) as caught:
        await ask(sdk)
    assert "reset" in _causes(caught.value).lower() or "ReadError" in _causes(caught.value)
    call, reply = await only_call(llm, recorder)
    assert (call.step, call.key, reply.outcome, reply.status) == ("reset", KEY, "broken", None)
    assert [event.state for event in recorder.history().of(Connection)] == ["opened", "closed"]


async def test_closed_ends_the_connection_without_an_answer(
    llm: ScriptedLLM, sdk: AsyncOpenAI, recorder: Recorder
) -> None:
    llm.script(KEY, Closed())
    with pytest.raises(APIConnectionError) as caught:
        await ask(sdk)
    assert "without sending a response" in _causes(caught.value)
    call, reply = await only_call(llm, recorder)
    assert (call.step, reply.outcome, reply.status) == ("closed", "broken", None)


async def test_raw_sends_a_body_as_it_is(llm: ScriptedLLM, recorder: Recorder) -> None:
    llm.script(KEY, Raw(b"no: {", "no-json", 400, "text/plain", {"x-api-base": "gateway"}))
    async with httpx.AsyncClient() as client:
        answer = await client.post(f"{llm.url}/v1/chat/completions", json={"messages": [{"content": KEY}]})
    assert (answer.status_code, answer.content) == (400, b"no: {")
    assert (answer.headers["content-type"], answer.headers["x-api-base"]) == ("text/plain", "gateway")
    call, reply = await only_call(llm, recorder)
    assert (call.step, reply.outcome, reply.status) == ("no-json", "answered", 400)


async def test_a_step_can_come_late(llm: ScriptedLLM, sdk: AsyncOpenAI, recorder: Recorder) -> None:
    llm.script(KEY, After(0.3, Status(500)))
    with pytest.raises(InternalServerError):
        await ask(sdk)
    call, reply = await only_call(llm, recorder)
    assert (call.step, reply.status) == ("status 500 after 0.3 s", 500)
    assert reply.t - call.t >= 0.3


async def test_it_fails_twice_then_succeeds(llm: ScriptedLLM, sdk: AsyncOpenAI) -> None:
    llm.script(KEY, *[Status(503)] * 2, Answer())
    for _ in range(2):
        with pytest.raises(InternalServerError):
            await ask(sdk)
    for _ in range(2):
        assert (await ask(sdk)).choices[0].message.content == expected_answer(KEY)
    assert [call.step for call in llm.calls(KEY)] == ["status 503", "status 503", "answer", "answer"]


async def test_a_script_belongs_to_its_key_and_the_default_to_the_rest(
    llm: ScriptedLLM, sdk: AsyncOpenAI
) -> None:
    llm.script(KEY, Answer(content="mine"))
    llm.default(Status(500), Answer(content="anyone's"))
    assert (await ask(sdk, KEY)).choices[0].message.content == "mine"
    with pytest.raises(InternalServerError):
        await ask(sdk, OTHER)
    assert (await ask(sdk, None)).choices[0].message.content == "anyone's"
    assert (await ask(sdk, KEY)).choices[0].message.content == "mine"
    assert [call.key for call in llm.calls()] == [KEY, OTHER, None, KEY]


async def test_a_step_can_depend_on_the_model(llm: ScriptedLLM, sdk: AsyncOpenAI) -> None:
    inner = ByModel({MODELS[1]: Status(500)}, otherwise=Answer(content="anyone's"))
    llm.script(KEY, ByModel({MODELS[0]: Answer(content="mine")}, otherwise=inner))
    assert (await ask(sdk)).choices[0].message.content == "mine"
    with pytest.raises(InternalServerError):
        await ask(sdk, model=MODELS[1])
    assert (await ask(sdk, model="third")).choices[0].message.content == "anyone's"
    assert [(call.model, call.step) for call in llm.calls()] == [
        (MODELS[0], "answer"),
        (MODELS[1], "status 500"),
        ("third", "answer"),
    ]


async def test_a_new_script_starts_at_its_beginning(llm: ScriptedLLM, sdk: AsyncOpenAI) -> None:
    llm.default(Status(500))
    with pytest.raises(InternalServerError):
        await ask(sdk)
    llm.default(Answer())
    assert (await ask(sdk)).choices[0].message.content == expected_answer(KEY)


async def test_a_script_without_steps_is_refused(llm: ScriptedLLM) -> None:
    with pytest.raises(ValueError, match="at least one step"):
        llm.script(KEY)


async def test_calls_can_be_waited_for(llm: ScriptedLLM, sdk: AsyncOpenAI) -> None:
    llm.default(Hang())
    waiting = asyncio.create_task(llm.wait_for_calls(3, timeout=PATIENCE))
    asks = [asyncio.create_task(ask(sdk, key)) for key in (KEY, KEY, OTHER)]
    calls = await waiting
    assert sorted(call.key or "" for call in calls) == sorted([KEY, KEY, OTHER])
    assert len(await llm.wait_for_calls(2, key=KEY)) == 2
    with pytest.raises(TimeoutError):
        await llm.wait_for_calls(2, key=OTHER, timeout=0.05)
    with pytest.raises(TimeoutError):
        await llm.wait_for_replies(1, timeout=0.05)
    for task in asks:
        task.cancel()
    await asyncio.gather(*asks, return_exceptions=True)
    assert {reply.outcome for reply in await llm.wait_for_replies(3)} == {"client-gone"}


async def test_what_is_still_held_at_the_end_has_no_reply(recorder: Recorder) -> None:
    async with (
        ScriptedLLM(recorder, models=MODELS) as llm,
        AsyncOpenAI(base_url=f"{llm.url}/v1", api_key="k", max_retries=0) as sdk,
    ):
        llm.default(Hang())
        held = asyncio.create_task(ask(sdk))
        await llm.wait_for_calls(1)
        await llm.__aexit__(None, None, None)
        with pytest.raises(APIConnectionError):
            await held
        [call] = recorder.history().calls("litellm")
        assert call.reply is None


async def test_pages_fail_for_as_long_as_they_are_told_to(llm: ScriptedLLM, sdk: AsyncOpenAI) -> None:
    llm.fail_pages(500)
    with pytest.raises(InternalServerError):
        await sdk.models.list()
    assert (await sdk.chat.completions.create(model="m", messages=[{"role": "user", "content": "?"}])).choices

    llm.fail_pages(401, "It was sk-x.")
    with pytest.raises(AuthenticationError, match=r"the provider failed It was sk-x\."):
        await sdk.models.list()

    llm.fail_pages(None)
    assert [model.id async for model in sdk.models.list()] == list(MODELS)


async def test_the_rest_of_the_surface_is_there_and_not_counted(
    llm: ScriptedLLM, sdk: AsyncOpenAI, recorder: Recorder
) -> None:
    llm.default(Status(500))
    assert [model.id async for model in sdk.models.list()] == list(MODELS)
    async with httpx.AsyncClient(base_url=llm.url) as http:
        for path in (
            *("/health/liveliness", "/health/liveness", "/health/readiness", "/health"),
            *("/model/info", "/v1/model/info", f"/v1/models/{MODELS[0]}"),
        ):
            assert (await http.get(path)).status_code == 200
        head = await http.head("/health/liveliness")
        assert (head.status_code, head.content) == (200, b"")
        assert (await http.get("/no/such/path")).status_code == 404
    assert recorder.history().calls("litellm") == []
    assert len(recorder.history().of(Call)) == 10
    assert llm.calls() == []


async def test_the_path_without_v1_is_a_chat_call_too(llm: ScriptedLLM, recorder: Recorder) -> None:
    async with AsyncOpenAI(base_url=llm.url, api_key="k", max_retries=0) as sdk:
        assert (await ask(sdk)).choices[0].message.content == expected_answer(KEY)
    call, _ = await only_call(llm, recorder)
    assert call.path == "/chat/completions"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b"\xff",
        b"[]",
        b"[" * 100_000,
        b'{"messages": 3, "stream_options": 1}',
        rb'{"model": "\ud800", "messages": ["\ud800"]}',
    ],
)
async def test_a_strange_body_is_answered_by_script_too(
    llm: ScriptedLLM, recorder: Recorder, body: bytes
) -> None:
    async with httpx.AsyncClient(base_url=llm.url) as http:
        assert (await http.post("/v1/chat/completions", content=body)).status_code == 200
    call, _ = await only_call(llm, recorder)
    assert call.key is None


@pytest.mark.parametrize("encoding", ["float", "base64"])
async def test_embeddings_depend_on_the_text_alone(llm: ScriptedLLM, sdk: AsyncOpenAI, encoding: str) -> None:
    async def embed(*texts: str) -> list[list[float]]:
        answer = await sdk.embeddings.create(
            model="e", input=list(texts), encoding_format="float" if encoding == "float" else "base64"
        )
        if encoding == "float":
            return [item.embedding for item in answer.data]
        raw = [base64.b64decode(str(item.embedding)) for item in answer.data]
        return [list(struct.unpack(f"<{len(data) // 4}f", data)) for data in raw]

    one, two = await embed("one", "two")
    [again] = await embed("one")
    assert one == again
    assert math.isclose(sum(x * x for x in one), 1.0, rel_tol=1e-5)
    assert abs(sum(x * y for x, y in zip(one, two, strict=True))) < 0.3


async def test_embeddings_of_texts_that_share_words_are_near(sdk: AsyncOpenAI) -> None:
    texts = ["how do I reset my password", "How do I change my password?", "opening hours of libraries"]
    answer = await sdk.embeddings.create(model="e", input=texts)
    asked, near, far = (item.embedding for item in answer.data)
    assert sum(x * y for x, y in zip(asked, near, strict=True)) > 0.7
    assert abs(sum(x * y for x, y in zip(asked, far, strict=True))) < 0.2


@pytest.mark.parametrize("texts", [["a"] * 2049, ["a" * MOST_CHARACTERS, "b"]])
async def test_embeddings_of_more_texts_than_the_lab_can_bear_are_refused(
    sdk: AsyncOpenAI, texts: list[str]
) -> None:
    with pytest.raises(BadRequestError, match=r"too long|max .* tokens per request"):
        await sdk.embeddings.create(model="e", input=texts)


async def test_embeddings_come_in_batches_as_large_as_openai_s(sdk: AsyncOpenAI) -> None:
    answer = await sdk.embeddings.create(model="e", input=["a text of the usual length"] * 2048, dimensions=8)
    assert len(answer.data) == 2048


async def test_many_instances_serve_at_once(recorder: Recorder) -> None:
    other = Recorder()
    async with ScriptedLLM(recorder, models=MODELS) as first, ScriptedLLM(other) as second:
        assert first.port != second.port
        async with AsyncOpenAI(base_url=f"{second.url}/v1", api_key="k", max_retries=0) as sdk:
            await asyncio.gather(*(ask(sdk) for _ in range(60)))
        assert first.calls() == []
        assert len({call.call for call in second.calls()}) == 60
        assert recorder.history().of(Call) == []


def _ignore(_: ChatCompletionChunk) -> None: ...


def _causes(error: BaseException | None) -> str:
    parts = []
    while error is not None:
        parts.append(repr(error))
        error = error.__cause__ or error.__context__
    return " ".join(parts)
