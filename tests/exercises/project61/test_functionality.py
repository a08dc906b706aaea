"""The checks of part 1, on histories of a right service and of one that does one thing wrong."""

import base64
import json
import struct
from collections.abc import Callable, Collection, Mapping
from typing import Any

import pytest

from chaos.contract import Contract
from chaos.history import (
    Answer,
    Began,
    Call,
    ClientResult,
    Ended,
    Failure,
    History,
    Part,
    Reply,
    Request,
    Socket,
)
from chaos.keys import Keys, expected_answer
from chaos.recorder import Recorder
from chaos.vectors import vector
from exercises.project61.part1_functionality import checks
from exercises.project61.part1_functionality.axes import (
    ANSWERS,
    ASKED_FOR_USAGE,
    BASE64,
    BREAKS,
    CONVERSATION,
    FEWER,
    INPUT_OPTIONS,
    INPUTS,
    SENT,
    SILENCE,
)
from exercises.project61.part1_functionality.parameters import changed, conversation
from exercises.project61.part1_functionality.wrong_requests import FAILING, WRONG
from exercises.project61.usage_report import TOKENS, tokens_used, unread
from lab.prompts import prompt

MODELS = ("one", "two")
CONTRACT = Contract.model_validate(
    {
        "start": {"main": "main.py", "service": "api", "example": "x"},
        "endpoints": {"alive": "/health", "usage": "/v1/usage"},
        "upstreams": {"backend": {"kind": "model"}},
        "ask": {"path": "/v1/chat/completions", "body": {}, "models": MODELS},
    }
)
USAGE = (1234, 567)
DONE = "data: [DONE]\n\n"

Change = Callable[[Any], Any]


class Told:
    """A history in the making, of requests and of what the backend and the official client made of them."""

    def __init__(self) -> None:
        self.now = 0.0
        self.keys = Keys(7, "told")
        self._recorder = Recorder(clock=lambda: self.now)
        self._numbers = iter(range(1, 1000))
        self.add(Began(experiment="told", seed=7, contract=CONTRACT))

    def add(self, event: Any) -> Any:
        self.now += 0.01
        return self._recorder.record(event)

    def ask(
        self, label: str, *, key: str | None = None, path: str = "/v1/chat/completions", method: str = "POST"
    ) -> int:
        number = next(self._numbers)
        self.add(Request(request=number, label=label, method=method, path=path, key=key))
        return number

    def call(self, key: str, asked: Any = None, *, ended: bool = True) -> None:
        number = next(self._numbers)
        self.add(
            Call(
                call=number,
                upstream="backend",
                method="POST",
                path="/v1/chat/completions",
                connection=1,
                key=key,
                asked=json.dumps(asked or {}),
            )
        )
        if ended:
            self.add(Reply(call=number, outcome="answered", usage=USAGE))

    def answer(
        self, number: int, body: Any, status: int = 200, *, headers: Mapping[str, str] | None = None
    ) -> None:
        text = body if isinstance(body, str) else json.dumps(body)
        self.add(Answer(request=number, status=status, headers=dict(headers or {}), body=text, elapsed=0.01))

    def result(self, number: int, returned: Any) -> None:
        self.add(ClientResult(request=number, client="openai", returned=json.dumps(returned)))

    def end(self) -> History:
        self.add(Ended())
        return self._recorder.history()


def same(value: Any) -> Any:
    return value


def chats(change: Change = same) -> History:
    told = Told()
    for model in MODELS:
        key = next(told.keys)
        number = told.ask(f"chat: {model}", key=key)
        told.call(key)
        message = {"role": "assistant", "content": expected_answer(key)}
        body = {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 7,
            "model": model,
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": USAGE[0], "completion_tokens": USAGE[1], "total_tokens": sum(USAGE)},
        }
        told.answer(number, change(body))
        told.result(number, change(body))
    return told.end()


def test_chats_that_come_as_they_are_pass() -> None:
    assert checks.chat_answers(chats()).passed


@pytest.mark.parametrize("field", ["id", "object", "created", "model", "choices", "usage"])
def test_an_answer_without_one_of_its_fields_fails(field: str) -> None:
    verdict = checks.chat_answers(chats(lambda body: {**body, field: None}))

    assert verdict.status == "failed"


def test_a_client_that_raises_is_told() -> None:
    told = Told()
    number = told.ask(f"chat: {MODELS[0]}", key=next(told.keys))
    told.answer(number, "oops", 500)
    told.add(ClientResult(request=number, client="openai", raised="InternalServerError"))

    verdict = checks.chat_answers(told.end())

    assert verdict.status == "failed"
    assert "500" in verdict.actual
    assert "InternalServerError" in verdict.actual


def encoded(numbers: list[float], name: str) -> Any:
    """Return a vector as the official client returns it for a kind of input."""
    if name != BASE64:
        return numbers
    return base64.b64encode(struct.pack(f"<{len(numbers)}f", *numbers)).decode()


def embeddings(change: Change = same, *, kinds: Collection[str] = tuple(INPUTS.values)) -> History:
    """Return a history of embeddings, with a change of the answers for some kinds of inputs."""
    told = Told()
    for name, count in INPUTS.values.items():
        keys = [next(told.keys) for _ in range(count)]
        size = INPUT_OPTIONS.get(name, {}).get("dimensions", 128)
        data = [
            {"object": "embedding", "index": place, "embedding": encoded(vector(prompt(key), size), name)}
            for place, key in enumerate(keys)
        ]
        number = told.ask(f"embeddings: {name}", key=" ".join(keys), path="/v1/embeddings")
        body = {"object": "list", "data": data, "usage": {"prompt_tokens": 9, "total_tokens": 9}}
        body = change(body) if name in kinds else body
        told.answer(number, body)
        told.result(number, body)
    return told.end()


def test_vectors_of_the_backend_pass() -> None:
    assert checks.embeddings_answer(embeddings()).passed


WRONG_VECTORS: dict[str, Change] = {
    "one is missing": lambda body: {**body, "data": body["data"][:-1]},
    "the order is another": lambda body: {**body, "data": body["data"][::-1]},
    "made up": lambda body: {**body, "data": [{**one, "embedding": [0.1] * 96} for one in body["data"]]},
    "no list": lambda body: {**body, "data": None},
    "no usage": lambda body: {**body, "usage": None},
}


def with_vectors(change: Callable[[Any], Any]) -> Change:
    return lambda body: {
        **body,
        "data": [{**one, "embedding": change(one["embedding"])} for one in body["data"]],
    }


@pytest.mark.parametrize("name", WRONG_VECTORS)
def test_vectors_that_are_not_the_backends_fail(name: str) -> None:
    assert checks.embeddings_answer(embeddings(WRONG_VECTORS[name])).status == "failed"


def test_vectors_that_are_too_long_fail() -> None:
    longer = with_vectors(lambda numbers: numbers + [0.0] * 32)

    assert checks.embeddings_answer(embeddings(longer, kinds=[FEWER])).status == "failed"


@pytest.mark.parametrize("vector", [[0.5, 0.5], "no base64!", "AAA=", None])
def test_vectors_that_are_not_in_base64_fail_where_it_was_asked_for(vector: Any) -> None:
    verdict = checks.embeddings_answer(embeddings(with_vectors(lambda _: vector), kinds=[BASE64]))

    assert verdict.status == "failed"
    assert "base64" in verdict.actual


def test_other_vectors_in_base64_fail() -> None:
    others = with_vectors(lambda _: "AAAAAAAAAAA=")

    assert checks.embeddings_answer(embeddings(others, kinds=[BASE64])).status == "failed"


def models(*names: str, asked: bool = True) -> History:
    told = Told()
    number = told.ask("models", path="/v1/models", method="GET")
    if asked:
        told.add(
            Call(call=1, upstream="backend", method="GET", path="/v1/models", connection=1, counted=False)
        )
    body = {"object": "list", "data": [{"id": name, "object": "model"} for name in names]}
    told.answer(number, body)
    told.result(number, body)
    return told.end()


def test_models_of_the_backend_pass_with_others_beside_them() -> None:
    assert checks.models_are_listed(models(*MODELS, "alias")).passed


def test_a_model_that_is_not_listed_fails() -> None:
    assert "two" in checks.models_are_listed(models("one")).actual


def test_a_list_that_never_came_from_the_backend_fails() -> None:
    assert "never asked" in checks.models_are_listed(models(*MODELS, asked=False)).actual


def parameters(change: Change = same) -> History:
    told = Told()
    for name, fields in SENT.values.items():
        key = next(told.keys)
        sent = {"model": "one", "messages": [{"role": "user", "content": prompt(key)}], **fields}
        if name == CONVERSATION:
            sent["messages"] = conversation(prompt(key))
        number = told.ask(f"parameters: {name}", key=key)
        told.call(key, change(sent))
        told.answer(number, {})
    return told.end()


def test_parameters_that_arrive_pass() -> None:
    assert checks.parameters_are_passed_on(parameters()).passed


def test_what_a_gateway_may_add_or_leave_out_passes() -> None:
    def add(sent: dict[str, Any]) -> dict[str, Any]:
        usual = {"temperature": 1.0, "n": 1, "max_tokens": 4096, "tools": None, "user": "7"}
        usual |= {"logprobs": False, "parallel_tool_calls": True, "tool_choice": "auto", "stop": None}
        return {**usual, **sent, "stream_options": {"include_usage": True}}

    assert checks.parameters_are_passed_on(parameters(add)).passed


ON_THE_WAY: dict[str, Change] = {
    "unknown fields are dropped": lambda sent: {k: v for k, v in sent.items() if k != "min_p"},
    "zeros are dropped": lambda sent: {k: v for k, v in sent.items() if v},
    "a default is added": lambda sent: {"temperature": 0.7, **sent},
    "a parameter of the backend's is added": lambda sent: {"num_retries": 0, **sent},
    "a value is changed": lambda sent: {**sent, "stop": ["END"]} if "stop" in sent else sent,
    "a tool is changed": lambda sent: {**sent, "tools": []} if "tools" in sent else sent,
    "parts become texts": lambda sent: {**sent, "messages": sent["messages"][-1:]},
}


@pytest.mark.parametrize("name", ON_THE_WAY)
def test_parameters_that_arrive_otherwise_fail(name: str) -> None:
    assert checks.parameters_are_passed_on(parameters(ON_THE_WAY[name])).status == "failed"


def test_false_is_not_zero() -> None:
    assert changed({"logprobs": False}, {"logprobs": 0})


def events(*chunks: Any) -> str:
    return "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks)


def chunks_of(key: str, *, usage: bool) -> list[dict[str, Any]]:
    base = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 7, "model": "one"}
    words = expected_answer(key).split(" ")
    texts = [words[0], *(f" {word}" for word in words[1:])]
    found: list[dict[str, Any]] = [
        {**base, "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}]}
        for text in texts
    ]
    found.append({**base, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    if usage:
        counts = {"prompt_tokens": USAGE[0], "completion_tokens": USAGE[1]}
        found.append({**base, "choices": [], "usage": counts})
    return found


def held(change: Change = same, *, part: bool = True, content_type: str = "text/event-stream") -> History:
    told = Told()
    key = next(told.keys)
    number = told.ask("held", key=key)
    told.call(key)
    if part:
        told.add(Part(request=number, text="data: "))
    body = change(events(*chunks_of(key, usage=False)) + DONE)
    told.answer(number, body, headers={"content-type": content_type})
    return told.end()


def read_streams(
    change: Change = same, *, counted: int = 2, shown: Mapping[str, bool] | None = None
) -> History:
    told = Told()
    totals = {"prompt_tokens": 0, "completion_tokens": 0}
    told.answer(told.ask("usage before", path="/v1/usage", method="GET"), {"totals": totals})
    for name, asked in ASKED_FOR_USAGE.values.items():
        key = next(told.keys)
        number = told.ask(f"streamed: {name}", key=key)
        told.call(key)
        chunks = change(chunks_of(key, usage=(shown or {}).get(name, asked)))
        told.answer(number, events(*chunks) + DONE)
        told.result(number, chunks)
    after = {"prompt_tokens": counted * USAGE[0], "completion_tokens": counted * USAGE[1]}
    told.answer(told.ask("usage after", path="/v1/usage", method="GET"), {"total": after})
    return told.end()


def test_streams_that_arrive_as_they_are_made_pass() -> None:
    assert checks.chat_streams(held(), read_streams()).passed


def test_a_stream_that_is_collected_fails() -> None:
    assert "nothing came" in checks.chat_streams(held(part=False), read_streams()).actual


def test_a_stream_of_another_type_fails() -> None:
    assert checks.chat_streams(held(content_type="application/json"), read_streams()).status == "failed"


@pytest.mark.parametrize(
    "change",
    [
        lambda body: body.removesuffix(DONE),
        lambda body: events(json.loads(body.split("\n\n")[0][6:])) + DONE,
        lambda body: body.replace('"finish_reason": "stop"', '"finish_reason": null'),
        lambda body: body.replace("chat.completion.chunk", "chunk"),
    ],
)
def test_a_stream_that_is_not_whole_fails(change: Change) -> None:
    assert checks.chat_streams(held(change), read_streams()).status == "failed"


def test_a_text_in_one_chunk_fails() -> None:
    def join(chunks: list[Any]) -> list[Any]:
        text = "".join(one["choices"][0]["delta"].get("content", "") for one in chunks if one["choices"])
        first = {**chunks[0], "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": "stop"}]}
        return [first]

    assert "in one" in checks.chat_streams(held(), read_streams(join)).actual


def test_streams_that_are_counted_pass() -> None:
    assert checks.streamed_usage_is_counted(read_streams()).passed


def test_streams_that_are_counted_in_part_fail() -> None:
    verdict = checks.streamed_usage_is_counted(read_streams(counted=1))

    assert str(2 * USAGE[0]) in verdict.expected
    assert str(USAGE[0]) in verdict.actual


def test_a_usage_that_cannot_be_read_fails_with_its_status() -> None:
    told = Told()
    for name in ASKED_FOR_USAGE.values:
        told.ask(f"streamed: {name}", key=next(told.keys))
    for label in ("usage before", "usage after"):
        told.answer(told.ask(label, path="/v1/usage", method="GET"), {}, 503)

    assert "503" in checks.streamed_usage_is_counted(told.end()).actual


@pytest.mark.parametrize(
    "body",
    [
        {"total": {"prompt_tokens": 7, "completion_tokens": 3}},
        {"totals": {"prompt_tokens": 7, "completion_tokens": 3}},
        {"requests": 1, "prompt_tokens": 7, "completion_tokens": 3},
    ],
)
def test_a_usage_is_read_wherever_it_may_stand(body: Any) -> None:
    end = Answer(request=1, status=200, headers={}, body=json.dumps(body), elapsed=0.1)

    assert tokens_used(end) == (7, 3)


@pytest.mark.parametrize(
    "body", ["", "[]", "7", '{"total": []}', '{"total": {"prompt_tokens": "7"}}', "[" * 99999]
)
def test_what_is_no_usage_is_none(body: str) -> None:
    assert tokens_used(Answer(request=1, status=200, headers={}, body=body, elapsed=0.1)) is None


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ({"total": {"prompt_tokens": "7"}}, 'prompt_tokens is "7", which is not a number'),
        ({"total": {"prompt_tokens": 7}}, "completion_tokens is missing"),
        ({"prompt_tokens": 7, "completion_tokens": None}, "completion_tokens is null, which is not a number"),
        ({"prompt_tokens": 7, "completion_tokens": 3}, ""),
        ([], "200 after"),
    ],
)
def test_why_a_usage_cannot_be_read(body: Any, why: str) -> None:
    end = Answer(request=1, status=200, headers={}, body=json.dumps(body), elapsed=0.1)

    assert why in unread(end, *TOKENS)
    assert bool(why) == bool(unread(end, *TOKENS))


@pytest.mark.parametrize("shown", [{"usage": False}, {"no usage": True}])
def test_a_usage_that_is_shown_to_the_wrong_caller_fails(shown: dict[str, bool]) -> None:
    assert checks.streamed_usage_is_counted(read_streams(shown=shown)).status == "failed"


ERROR = {"message": "This is wrong.", "type": "invalid_request_error", "code": None, "param": None}


def failures(change: Change = same, status: Callable[[int], int] = same) -> History:
    told = Told()
    for name, wrong in {**WRONG, "a backend that fails": FAILING}.items():
        number = told.ask(f"wrong: {name}", path=f"/v1{wrong.path}", method=wrong.method)
        told.answer(number, change({"error": dict(ERROR)}), status(min(wrong.statuses)))
    return told.end()


def test_errors_in_openais_form_pass() -> None:
    verdict = checks.errors_are_openais(failures())

    assert verdict.passed
    assert str(len(WRONG) + 1) in verdict.actual


@pytest.mark.parametrize(
    "change",
    [
        lambda _: {"detail": "Not Found"},
        lambda _: "Internal Server Error",
        lambda _: {"error": "not_found"},
        lambda body: {"error": {**body["error"], "message": ""}},
        lambda body: {"error": {name: body["error"][name] for name in ("message", "type", "code")}},
    ],
)
def test_errors_in_another_form_fail(change: Change) -> None:
    assert checks.errors_are_openais(failures(change)).status == "failed"


def test_a_wrong_status_fails() -> None:
    verdict = checks.errors_are_openais(failures(status=lambda status: 500 if status == 400 else status))

    assert verdict.expected.startswith("400 or 422")


def left(*, reply: float | None = 0.1, call: bool = True) -> History:
    told = Told()
    for name in ANSWERS.values:
        key = next(told.keys)
        told.ask(f"left: {name}", key=key)
        if call:
            told.call(key, ended=False)
        told.add(Socket(label=f"left: {name}", state="closed"))
        if reply is not None and call:
            number = max(one.call for one in told._recorder.history().of(Call))
            told.now += reply
            told.add(Reply(call=number, outcome="client-gone"))
    return told.end()


def test_a_call_that_ends_with_its_caller_passes() -> None:
    assert checks.leaving_ends_the_call(left()).passed


def test_a_call_that_goes_on_fails() -> None:
    assert "went on" in checks.leaving_ends_the_call(left(reply=None)).actual


def test_a_call_that_ends_late_fails() -> None:
    assert "6.0 s" in checks.leaving_ends_the_call(left(reply=6.0)).actual


def test_a_request_that_never_reached_the_backend_fails() -> None:
    assert "no call" in checks.leaving_ends_the_call(left(call=False)).actual


def broken(name: str, body: str | None) -> History:
    told = Told()
    for kind in BREAKS.values:
        number = told.ask(f"broken: {kind}", key=next(told.keys))
        text = events({"choices": []}, {"error": dict(ERROR)}) if kind != name else body
        if text is None:
            told.add(Failure(request=number, error="timeout", elapsed=32.0))
        else:
            told.answer(number, text)
    return told.end()


def test_breaks_that_are_told_pass() -> None:
    assert checks.broken_streams_are_told(broken("", None)).passed


@pytest.mark.parametrize("name", BREAKS.values)
@pytest.mark.parametrize(
    "body",
    [
        events({"choices": []}),
        events({"choices": []}) + DONE,
        events({"error": dict(ERROR)}) + DONE,
        None,
    ],
    ids=["just ends", "ends as if whole", "done after the error", "never ends"],
)
def test_a_break_that_is_not_told_fails(name: str, body: str | None) -> None:
    verdict = checks.broken_streams_are_told(broken(name, body))

    assert verdict.status == "failed"
    assert name in verdict.expected


def test_a_silence_has_its_time_in_the_verdict() -> None:
    assert "30 s" in checks.broken_streams_are_told(broken(SILENCE, None)).expected
