from typing import Any

import pytest
from pydantic import ValidationError

from src.models.requests import ChatRequest, Message
from src.models.responses import Usage

USER = {"role": "user", "content": "Hello"}
ASSISTANT = {"role": "assistant", "content": "Hi"}
SYSTEM = {"role": "system", "content": "Be brief."}


def refusals(**fields: Any) -> list[str]:
    """Return the fields that are refused, by their paths."""
    try:
        ChatRequest.model_validate({"messages": [USER], **fields})
    except ValidationError as error:
        return [".".join(map(str, problem["loc"])) for problem in error.errors()]
    return []


def test_only_messages_are_required() -> None:
    request = ChatRequest.model_validate({"messages": [USER]})

    assert request.messages == [Message(role="user", content="Hello")]
    assert (request.model, request.temperature, request.max_tokens, request.stream) == (
        None,
        0.7,
        None,
        False,
    )


@pytest.mark.parametrize("fields", [{"messages": []}, {"messages": None}, {"messages": "Hello"}])
def test_a_conversation_has_messages(fields: dict[str, Any]) -> None:
    assert refusals(**fields) == ["messages"]


def test_a_conversation_has_at_most_100_messages() -> None:
    assert refusals(messages=[USER] * 100) == []
    assert refusals(messages=[USER] * 101) == ["messages"]


@pytest.mark.parametrize("role", ["system", "user", "assistant"])
def test_a_known_role_is_accepted(role: str) -> None:
    assert Message.model_validate({"role": role, "content": "x"}).role == role


@pytest.mark.parametrize("role", ["robot", "User", "", None, 1])
def test_an_unknown_role_is_refused(role: object) -> None:
    assert refusals(messages=[{"role": role, "content": "x"}]) == ["messages.0.role"]


def test_content_has_1_to_32000_characters() -> None:
    assert refusals(messages=[{"role": "user", "content": "x"}]) == []
    assert refusals(messages=[{"role": "user", "content": "\N{GRINNING FACE}" * 32_000}]) == []
    assert refusals(messages=[{"role": "user", "content": ""}]) == ["messages.0.content"]
    assert refusals(messages=[{"role": "user", "content": "x" * 32_001}]) == ["messages.0.content"]


@pytest.mark.parametrize("temperature", [0, 0.0, 1, 2, 2.0])
def test_a_temperature_of_0_to_2_is_accepted(temperature: float) -> None:
    assert refusals(temperature=temperature) == []


@pytest.mark.parametrize("temperature", [-0.01, 2.01, "1", True, float("nan")])
def test_another_temperature_is_refused(temperature: object) -> None:
    assert refusals(temperature=temperature) == ["temperature"]


@pytest.mark.parametrize("max_tokens", [1, 4096])
def test_1_to_4096_tokens_are_accepted(max_tokens: int) -> None:
    assert refusals(max_tokens=max_tokens) == []


@pytest.mark.parametrize("max_tokens", [0, -1, 4097, "100", 10.5, True])
def test_another_number_of_tokens_is_refused(max_tokens: object) -> None:
    assert refusals(max_tokens=max_tokens) == ["max_tokens"]


def test_the_assistant_does_not_begin() -> None:
    assert refusals(messages=[ASSISTANT, USER]) == ["messages"]
    assert refusals(messages=[SYSTEM, USER]) == []
    assert refusals(messages=[USER]) == []


@pytest.mark.parametrize("last", [ASSISTANT, SYSTEM])
def test_the_user_has_the_last_word(last: dict[str, str]) -> None:
    assert refusals(messages=[USER, last]) == ["messages"]
    assert refusals(messages=[USER, ASSISTANT, USER]) == []


def test_a_refusal_says_why() -> None:
    with pytest.raises(ValidationError, match="the last message must be the user's") as refusal:
        ChatRequest.model_validate({"messages": [USER, ASSISTANT]})

    assert refusal.value.error_count() == 1


def test_tokens_are_not_negative() -> None:
    with pytest.raises(ValidationError) as refusal:
        Usage(input_tokens=-1, output_tokens=0, total_tokens=0)

    assert refusal.value.errors()[0]["loc"] == ("input_tokens",)
