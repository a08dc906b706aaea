import pytest
from pydantic import ValidationError

from src.models.requests import ChatRequest, Message
from src.models.responses import ChatResponse, Usage

USER = {"role": "user", "content": "Hello"}
ASSISTANT = {"role": "assistant", "content": "Hi"}
SYSTEM = {"role": "system", "content": "Be brief."}


def test_defaults():
    chat = ChatRequest.model_validate({"messages": [USER]})
    assert chat.model is None
    assert chat.temperature == 0.7
    assert chat.max_tokens is None
    assert chat.stream is False


@pytest.mark.parametrize(
    "change",
    [
        {"temperature": 0},
        {"temperature": 2},
        {"max_tokens": 1},
        {"max_tokens": 4096},
        {"messages": [SYSTEM, USER, ASSISTANT, USER]},
        {"messages": [USER] * 100},
        {"messages": [{"role": "user", "content": "x" * 32_000}]},
    ],
    ids=str,
)
def test_just_inside(change):
    assert ChatRequest.model_validate({"messages": [USER]} | change).messages


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("temperature", {"temperature": -0.01}),
        ("temperature", {"temperature": 2.01}),
        ("temperature", {"temperature": "1"}),
        ("temperature", {"temperature": float("nan")}),
        ("max_tokens", {"max_tokens": 0}),
        ("max_tokens", {"max_tokens": 4097}),
        ("max_tokens", {"max_tokens": 1.5}),
        ("max_tokens", {"max_tokens": True}),
        ("messages", {"messages": []}),
        ("messages", {"messages": [USER] * 101}),
        ("messages", {"messages": [ASSISTANT]}),
        ("messages", {"messages": [USER, SYSTEM, USER]}),
        ("colour", {"colour": "red"}),
    ],
)
def test_just_outside_names_the_field(field, change):
    with pytest.raises(ValidationError) as caught:
        ChatRequest.model_validate({"messages": [USER]} | change)
    assert {error["loc"][0] for error in caught.value.errors()} == {field}


@pytest.mark.parametrize(
    "message",
    [
        {"role": "robot", "content": "Hello"},
        {"role": "user", "content": ""},
        {"role": "user", "content": "x" * 32_001},
        {"role": "user", "content": 5},
        {"role": "user"},
        {"content": "Hello"},
    ],
    ids=["role", "empty", "long", "number", "no content", "no role"],
)
def test_bad_messages(message):
    with pytest.raises(ValidationError):
        Message.model_validate(message)


def test_usage_adds_up():
    assert Usage(prompt_tokens=12, completion_tokens=30).total_tokens == 42


def test_response_as_it_is_sent():
    usage = Usage(prompt_tokens=1, completion_tokens=2, estimated_cost=None)
    response = ChatResponse(content="Hi", model="m", usage=usage, latency_ms=1.0)
    assert response.model_dump()["usage"] == {
        "prompt_tokens": 1,
        "completion_tokens": 2,
        "estimated_cost": None,
        "total_tokens": 3,
    }
