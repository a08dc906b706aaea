import pytest
from pydantic import ValidationError

from src.models.requests import ChatCompletionRequest, ChatMessage, Role
from src.models.responses import UsageInfo
from src.services.llm import calculate_cost


class TestModels:
    def test_valid_message(self):
        msg = ChatMessage(role="user", content="Hello")
        assert msg.role == Role.user

    def test_invalid_role(self):
        with pytest.raises(ValidationError):
            ChatMessage(role="invalid", content="Hello")

    def test_empty_content(self):
        with pytest.raises(ValidationError):
            ChatMessage(role="user", content="")

    def test_valid_request(self):
        req = ChatCompletionRequest(messages=[{"role": "user", "content": "Hello"}])
        assert req.temperature == 0.7

    def test_invalid_temperature(self):
        with pytest.raises(ValidationError):
            ChatCompletionRequest(
                messages=[{"role": "user", "content": "Hello"}], temperature=3.0
            )

    def test_starts_with_assistant(self):
        with pytest.raises(ValidationError):
            ChatCompletionRequest(messages=[{"role": "assistant", "content": "Hello"}])

    def test_usage(self):
        usage = UsageInfo(input_tokens=1, output_tokens=2, total_tokens=3)
        assert usage.total_tokens == 3


class TestCost:
    def test_gpt_4o_mini(self):
        assert calculate_cost("gpt-4o-mini", 1000, 500) == pytest.approx(0.00045)

    def test_unknown(self):
        assert calculate_cost("unknown", 1000, 500) is None
