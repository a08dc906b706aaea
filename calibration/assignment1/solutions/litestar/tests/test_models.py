import msgspec
import pytest

from src.api.errors import where_and_why
from src.models.requests import ChatRequest
from src.models.responses import ChatResponse, Error, Usage

USER = {"role": "user", "content": "Hello"}
ASSISTANT = {"role": "assistant", "content": "Hi"}
SYSTEM = {"role": "system", "content": "Be kind"}


def convert(**changes):
    return msgspec.convert({"messages": [USER], **changes}, ChatRequest)


def test_defaults():
    request = convert()
    assert (request.model, request.temperature, request.max_tokens) == (None, 0.7, None)


ALTERNATING = [USER, ASSISTANT] * 49 + [USER]


@pytest.mark.parametrize(
    "changes",
    [
        {"temperature": 0},
        {"temperature": 2.0},
        {"max_tokens": 1},
        {"max_tokens": 4096},
        {"messages": [SYSTEM, *ALTERNATING]},
        {"messages": [{**USER, "content": "é" * 32_000}]},
        {"model": "whatever"},
    ],
    ids=lambda c: next(iter(c)),
)
def test_accepted(changes):
    assert convert(**changes).messages[-1].role == "user"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"temperature": -0.1}, "temperature"),
        ({"temperature": 2.1}, "temperature"),
        ({"temperature": "1"}, "temperature"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": 4097}, "max_tokens"),
        ({"max_tokens": 1.5}, "max_tokens"),
        ({"max_tokens": True}, "max_tokens"),
        ({"model": 4}, "model"),
        ({"stream": "yes"}, "stream"),
        ({"messages": []}, "messages"),
        ({"messages": "Hello"}, "messages"),
        ({"messages": [SYSTEM, SYSTEM, *ALTERNATING]}, "messages"),
        ({"messages": [{"role": "robot", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "content": ""}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": "x" * 32_001}]}, "messages[0].content"),
        ({"messages": [{"role": "user"}]}, "messages[0].content"),
        ({"messages": [USER, {"content": "x"}]}, "messages[1].role"),
        ({"messages": [ASSISTANT, USER]}, "messages"),
        ({"messages": [USER, ASSISTANT]}, "messages"),
    ],
)
def test_refused(changes, field):
    with pytest.raises(msgspec.ValidationError) as refused:
        convert(**changes)
    where, why = where_and_why(str(refused.value))
    assert where == field
    assert why


def test_not_an_object():
    with pytest.raises(msgspec.ValidationError) as refused:
        msgspec.convert([], ChatRequest)
    assert where_and_why(str(refused.value)) == ("body", "Expected `object`, got `array`")


def test_messages_are_required():
    with pytest.raises(msgspec.ValidationError, match="messages"):
        msgspec.convert({}, ChatRequest)


def test_response_json():
    response = ChatResponse(
        content="Hi", model="m", usage=Usage(1, 2, 3), cost_usd=None, latency_ms=4.5
    )
    assert msgspec.json.decode(msgspec.json.encode(response)) == {
        "content": "Hi",
        "model": "m",
        "usage": {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3},
        "cost_usd": None,
        "latency_ms": 4.5,
    }


def test_an_error_without_a_field():
    error = Error(error="code", message="text", request_id="r")
    assert "field" not in msgspec.to_builtins(error)
