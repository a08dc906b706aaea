import pytest
from pydantic import ValidationError

from src.models.requests import ChatRequest, Message
from src.services.llm import calculate_cost


def test_cost_gpt_4o_mini():
    assert calculate_cost("gpt-4o-mini", 1000, 1000) == pytest.approx(0.00075)


def test_cost_gpt_4o():
    assert calculate_cost("gpt-4o", 1000, 1000) == pytest.approx(0.0125)


def test_cost_unknown_model():
    assert calculate_cost("gpt-17", 1000, 1000) is None


def test_message():
    message = Message(role="user", content="Hi")
    assert message.role == "user"


def test_message_invalid_role():
    with pytest.raises(ValidationError):
        Message(role="robot", content="Hi")


def test_message_empty_content():
    with pytest.raises(ValidationError):
        Message(role="user", content="")


def test_request_defaults():
    request = ChatRequest(messages=[Message(role="user", content="Hi")])
    assert request.temperature == 0.7
    assert request.max_tokens == 1024


def test_request_temperature_too_high():
    with pytest.raises(ValidationError):
        ChatRequest(messages=[Message(role="user", content="Hi")], temperature=2.1)


def test_request_max_tokens_too_high():
    with pytest.raises(ValidationError):
        ChatRequest(messages=[Message(role="user", content="Hi")], max_tokens=4097)


def test_request_starts_with_assistant():
    with pytest.raises(ValidationError):
        ChatRequest(messages=[Message(role="assistant", content="Hi")])
