"""Anthropic's Messages API, as its own client sees it."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import anthropic
import httpx
import httpx2
import pytest
from anthropic import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    AsyncAnthropic,
    AuthenticationError,
    BadRequestError,
    ContentTooLargeError,
    GatewayTimeoutError,
    InternalServerError,
    NotFoundError,
    OverloadedError,
    PermissionDeniedError,
    RateLimitError,
    ServiceUnavailableError,
)
from anthropic.types import Message, RawMessageStreamEvent
from openai import AsyncOpenAI

from chaos.keys import Keys, answer_code, expected_answer
from chaos.llm import (
    Answer,
    BrokenStream,
    ByModel,
    Drip,
    EmptyObject,
    ErrorInStream,
    Hang,
    Held,
    MalformedJson,
    NoChoices,
    RateLimited,
    Reset,
    ScriptedLLM,
    StalledStream,
    Status,
    Truncated,
    WrongContentType,
)
from chaos.recorder import Recorder
from tests.chaos.scripted import PATIENCE, only_call

pytestmark = pytest.mark.medium

MODEL = "model-one"
KEY, OTHER = itertools.islice(Keys(2, "test"), 2)


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
async def llm(recorder: Recorder) -> AsyncIterator[ScriptedLLM]:
    async with ScriptedLLM(recorder, models=[MODEL]) as llm:
        yield llm


@pytest.fixture
async def sdk(llm: ScriptedLLM) -> AsyncIterator[AsyncAnthropic]:
    async with AsyncAnthropic(base_url=llm.url, api_key="k", max_retries=0, timeout=PATIENCE) as sdk:
        yield sdk


async def ask(sdk: AsyncAnthropic, timeout: float = PATIENCE, model: str = MODEL) -> Message:
    return await sdk.messages.create(
        model=model,
        max_tokens=100,
        messages=[{"role": "user", "content": f"Where is {KEY}?"}],
        timeout=timeout,
    )


async def stream(
    sdk: AsyncAnthropic, see: Callable[[RawMessageStreamEvent], None], timeout: float = PATIENCE
) -> None:
    """Show each event of a streamed answer to `see`, so that those before a failure are seen."""
    events = await sdk.messages.create(
        model=MODEL,
        max_tokens=100,
        messages=[{"role": "user", "content": f"Where is {KEY}?"}],
        stream=True,
        timeout=timeout,
    )
    async for event in events:
        see(event)


def said(message: Message) -> str:
    return "".join(block.text for block in message.content if block.type == "text")


def text(events: list[RawMessageStreamEvent]) -> str:
    deltas = [event.delta for event in events if event.type == "content_block_delta"]
    return "".join(delta.text for delta in deltas if delta.type == "text_delta")


async def test_an_answer_holds_what_only_the_key_gives(
    llm: ScriptedLLM, sdk: AsyncAnthropic, recorder: Recorder
) -> None:
    answer = await ask(sdk)
    assert said(answer) == expected_answer(KEY)
    assert (answer.type, answer.role, answer.model) == ("message", "assistant", MODEL)
    assert (answer.stop_reason, answer.stop_sequence) == ("end_turn", None)
    assert answer.usage.input_tokens > 0
    assert answer.usage.output_tokens > 0
    call, reply = await only_call(llm, recorder)
    assert (call.key, call.step, call.path, call.counted) == (KEY, "answer", "/v1/messages", True)
    assert call.model == MODEL
    assert json.loads(call.asked)["max_tokens"] == 100
    assert (reply.outcome, reply.status) == ("answered", 200)


async def test_a_streamed_answer_comes_in_the_events_of_the_api(
    llm: ScriptedLLM, sdk: AsyncAnthropic, recorder: Recorder
) -> None:
    llm.script(KEY, Answer(usage=(1200, 34)))
    events: list[RawMessageStreamEvent] = []
    await stream(sdk, events.append)
    kinds = [event.type for event in events]
    assert kinds[:2] == ["message_start", "content_block_start"]
    assert kinds[-3:] == ["content_block_stop", "message_delta", "message_stop"]
    assert set(kinds[2:-3]) == {"content_block_delta"}
    assert len(kinds) > 8
    assert text(events) == expected_answer(KEY)
    [start] = [event for event in events if event.type == "message_start"]
    [end] = [event for event in events if event.type == "message_delta"]
    assert start.message.usage.input_tokens == 1200
    assert (end.delta.stop_reason, end.usage.output_tokens) == ("end_turn", 34)
    _, reply = await only_call(llm, recorder)
    assert (reply.outcome, reply.status) == ("answered", 200)


async def test_the_client_puts_a_stream_together(llm: ScriptedLLM, sdk: AsyncAnthropic) -> None:
    llm.script(KEY, Answer(usage=(1200, 34)))
    async with sdk.messages.stream(
        model=MODEL, max_tokens=100, messages=[{"role": "user", "content": KEY}]
    ) as events:
        message = await events.get_final_message()
    assert said(message) == expected_answer(KEY)
    assert (message.usage.input_tokens, message.usage.output_tokens) == (1200, 34)


async def test_an_answer_reports_the_tokens_that_it_is_told_to(llm: ScriptedLLM, sdk: AsyncAnthropic) -> None:
    llm.script(KEY, Answer(content="forty-two", usage=(1200, 34)))
    answer = await ask(sdk)
    assert said(answer) == "forty-two"
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (1200, 34)


@pytest.mark.parametrize("system", [f"Earlier: {OTHER}", [{"type": "text", "text": f"Earlier: {OTHER}"}]])
@pytest.mark.parametrize("content", [f"And {KEY}?", [{"type": "text", "text": f"And {KEY}?"}]])
async def test_the_key_is_the_last_one_that_the_model_reads(
    llm: ScriptedLLM, sdk: AsyncAnthropic, system: Any, content: Any
) -> None:
    answer = await sdk.messages.create(
        model=MODEL, max_tokens=100, system=system, messages=[{"role": "user", "content": content}]
    )
    assert said(answer) == expected_answer(KEY)
    only_system = await sdk.messages.create(
        model=MODEL, max_tokens=100, system=system, messages=[{"role": "user", "content": "And?"}]
    )
    assert said(only_system) == expected_answer(OTHER)
    assert only_system.usage.input_tokens > 4
    assert [call.key for call in llm.calls()] == [KEY, OTHER]


@pytest.mark.parametrize(
    ("code", "error", "kind"),
    [
        (400, BadRequestError, "invalid_request_error"),
        (401, AuthenticationError, "authentication_error"),
        (403, PermissionDeniedError, "permission_error"),
        (404, NotFoundError, "not_found_error"),
        (413, ContentTooLargeError, "request_too_large"),
        (429, RateLimitError, "rate_limit_error"),
        (500, InternalServerError, "api_error"),
        (503, ServiceUnavailableError, "api_error"),
        (504, GatewayTimeoutError, "timeout_error"),
        (529, OverloadedError, "overloaded_error"),
    ],
)
async def test_a_status_is_told_in_an_error_body(
    llm: ScriptedLLM,
    sdk: AsyncAnthropic,
    code: int,
    error: type[APIStatusError],
    kind: str,
) -> None:
    llm.script(KEY, Status(code), Status(code, "no luck", {"x-extra": "1"}, "canary-5e"))
    with pytest.raises(error) as usual:
        await ask(sdk)
    assert usual.value.type == kind
    assert usual.value.api_message
    with pytest.raises(error) as caught:
        await ask(sdk)
    assert caught.value.body == {"type": "error", "error": {"type": kind, "message": "no luck canary-5e"}}
    assert caught.value.response.headers["x-extra"] == "1"
    replies = await llm.wait_for_replies(2)
    assert [(reply.outcome, reply.status) for reply in replies] == [("answered", code)] * 2
    assert {call.step for call in llm.calls()} == {f"status {code}"}


async def test_a_rate_limit_says_when_to_come_back(llm: ScriptedLLM, sdk: AsyncAnthropic) -> None:
    llm.script(KEY, RateLimited(retry_after=7))
    with pytest.raises(RateLimitError) as caught:
        await ask(sdk)
    assert caught.value.response.headers["retry-after"] == "7"
    assert caught.value.type == "rate_limit_error"


async def test_hang_lasts_until_the_client_is_gone(
    llm: ScriptedLLM, sdk: AsyncAnthropic, recorder: Recorder
) -> None:
    llm.script(KEY, Hang())
    with pytest.raises(APITimeoutError):
        await ask(sdk, timeout=0.5)
    call, reply = await only_call(llm, recorder)
    assert (call.step, reply.outcome, reply.status) == ("hang", "client-gone", None)


async def test_drip_with_a_total_ends_in_the_real_answer(llm: ScriptedLLM, sdk: AsyncAnthropic) -> None:
    llm.script(KEY, Drip(interval=0.05, total=0.2))
    assert said(await ask(sdk)) == expected_answer(KEY)
    events: list[RawMessageStreamEvent] = []
    await stream(sdk, events.append)
    assert text(events) == expected_answer(KEY)
    assert events[-1].type == "message_stop"


@pytest.mark.parametrize("streamed", [False, True])
async def test_malformed_json_cannot_be_read(
    llm: ScriptedLLM, sdk: AsyncAnthropic, recorder: Recorder, *, streamed: bool
) -> None:
    llm.script(KEY, MalformedJson())
    with pytest.raises((json.JSONDecodeError, anthropic.APIResponseValidationError)):
        await (stream(sdk, _ignore) if streamed else ask(sdk))
    _, reply = await only_call(llm, recorder)
    assert (reply.outcome, reply.status) == ("answered", 200)


async def test_an_empty_object_has_no_content_at_all(llm: ScriptedLLM, sdk: AsyncAnthropic) -> None:
    llm.script(KEY, EmptyObject())
    assert (await ask(sdk)).to_dict() == {}
    events: list[RawMessageStreamEvent] = []
    await stream(sdk, events.append)
    assert [event.to_dict() for event in events] == [{}, {"type": "message_stop"}]


async def test_no_choices_is_an_empty_content(llm: ScriptedLLM, sdk: AsyncAnthropic) -> None:
    llm.script(KEY, NoChoices())
    answer = await ask(sdk)
    assert (answer.content, answer.stop_reason) == ([], "end_turn")
    events: list[RawMessageStreamEvent] = []
    await stream(sdk, events.append)
    assert [event.type for event in events] == ["message_start", "message_delta", "message_stop"]


async def test_a_page_of_html_is_no_message(llm: ScriptedLLM, sdk: AsyncAnthropic) -> None:
    llm.script(KEY, WrongContentType())
    answer: object = await ask(sdk)
    assert isinstance(answer, str)
    assert "<html>" in answer


async def test_a_truncated_answer_is_a_connection_error(
    llm: ScriptedLLM, sdk: AsyncAnthropic, recorder: Recorder
) -> None:
    llm.script(KEY, Truncated())
    with pytest.raises(APIConnectionError):
        await ask(sdk)
    _, reply = await only_call(llm, recorder)
    assert (reply.outcome, reply.status) == ("broken", 200)


async def test_a_truncated_stream_breaks_after_some_events(llm: ScriptedLLM, sdk: AsyncAnthropic) -> None:
    llm.script(KEY, Truncated())
    events: list[RawMessageStreamEvent] = []
    with pytest.raises(httpx2.RemoteProtocolError):
        await stream(sdk, events.append)
    assert 0 < len(text(events)) < len(expected_answer(KEY))


async def test_a_stalled_stream_never_ends(llm: ScriptedLLM, sdk: AsyncAnthropic, recorder: Recorder) -> None:
    llm.script(KEY, StalledStream())
    events: list[RawMessageStreamEvent] = []
    with pytest.raises(httpx2.ReadTimeout):
        await stream(sdk, events.append, timeout=1.0)
    assert 0 < len(text(events)) < len(expected_answer(KEY))
    _, reply = await only_call(llm, recorder)
    assert (reply.outcome, reply.status) == ("client-gone", 200)


async def test_a_broken_stream_ends_without_a_stop(llm: ScriptedLLM, sdk: AsyncAnthropic) -> None:
    llm.script(KEY, BrokenStream())
    events: list[RawMessageStreamEvent] = []
    await stream(sdk, events.append)
    assert 0 < len(text(events)) < len(expected_answer(KEY))
    assert answer_code(KEY) not in text(events)
    assert events[-1].type == "content_block_delta"


async def test_a_held_stream_goes_on_when_it_is_released(
    llm: ScriptedLLM, sdk: AsyncAnthropic, recorder: Recorder
) -> None:
    release, begun = asyncio.Event(), asyncio.Event()
    llm.script(KEY, Held(release))
    events: list[RawMessageStreamEvent] = []

    def see(event: RawMessageStreamEvent) -> None:
        events.append(event)
        if len(text(events).split()) >= 2:
            begun.set()

    streaming = asyncio.create_task(stream(sdk, see))
    async with asyncio.timeout(PATIENCE):
        await begun.wait()
    await asyncio.sleep(0.1)
    assert answer_code(KEY) not in text(events)
    assert not streaming.done()
    release.set()
    await streaming
    assert text(events) == expected_answer(KEY)
    assert events[-1].type == "message_stop"
    call, reply = await only_call(llm, recorder)
    assert (call.step, reply.outcome) == ("held", "answered")


async def test_an_error_comes_in_the_middle_of_a_stream(llm: ScriptedLLM, sdk: AsyncAnthropic) -> None:
    llm.script(KEY, ErrorInStream(529, detail="canary-5e"))
    events: list[RawMessageStreamEvent] = []
    with pytest.raises(APIStatusError) as caught:
        await stream(sdk, events.append)
    assert caught.value.body == {
        "type": "error",
        "error": {"type": "overloaded_error", "message": "Overloaded canary-5e"},
    }
    assert 0 < len(text(events)) < len(expected_answer(KEY))
    with pytest.raises(OverloadedError):
        await ask(sdk)


async def test_reset_breaks_the_connection(llm: ScriptedLLM, sdk: AsyncAnthropic, recorder: Recorder) -> None:
    llm.script(KEY, Reset())
    with pytest.raises(APIConnectionError):
        await ask(sdk)
    _, reply = await only_call(llm, recorder)
    assert (reply.outcome, reply.status) == ("broken", None)


async def test_a_step_can_depend_on_the_model(llm: ScriptedLLM, sdk: AsyncAnthropic) -> None:
    llm.script(KEY, ByModel({MODEL: Status(529)}, otherwise=Answer()))
    with pytest.raises(OverloadedError):
        await ask(sdk)
    assert said(await ask(sdk, model="other")) == expected_answer(KEY)
    assert [call.step for call in llm.calls()] == ["status 529", "answer"]


async def test_a_script_is_shared_by_both_apis(llm: ScriptedLLM, sdk: AsyncAnthropic) -> None:
    llm.script(KEY, Status(500), Answer())
    with pytest.raises(InternalServerError):
        await ask(sdk)
    async with AsyncOpenAI(base_url=f"{llm.url}/v1", api_key="k", max_retries=0) as other:
        answer = await other.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": KEY}])
    assert answer.choices[0].message.content == expected_answer(KEY)
    assert [call.path for call in llm.calls(KEY)] == ["/v1/messages", "/v1/chat/completions"]


@pytest.mark.parametrize("body", [b"", b"not json", b"[]", b'{"messages": 3, "system": 1}'])
async def test_a_strange_body_is_answered_by_script_too(llm: ScriptedLLM, body: bytes) -> None:
    async with httpx.AsyncClient(base_url=llm.url) as http:
        assert (await http.post("/v1/messages", content=body)).status_code == 200
    [call] = llm.calls()
    assert call.key is None


def _ignore(_: RawMessageStreamEvent) -> None: ...
