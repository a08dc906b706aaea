import pytest
from pydantic import ValidationError

from src.models.requests import ChatRequest, Message
from src.models.responses import ChatResponse, Usage
from src.services.llm import cost_of


def test_message():
    assert Message(role="user", content="Hi").content == "Hi"


def test_message_needs_content():
    with pytest.raises(ValidationError):
        Message(role="user")


def test_request_needs_messages():
    with pytest.raises(ValidationError):
        ChatRequest()


def test_request_defaults():
    assert ChatRequest(messages=[]).temperature == 0.7


def test_usage():
    assert Usage(input_tokens=1, output_tokens=2, total_tokens=3).total_tokens == 3


def test_response():
    usage = Usage(input_tokens=1, output_tokens=2, total_tokens=3)
    response = ChatResponse(content="Hi", model="m", usage=usage, cost=None, latency_ms=1)
    assert response.cost is None


def test_cost():
    assert cost_of("gpt-4o", 1_000_000) == 2.5
    assert cost_of("other", 1_000_000) is None
