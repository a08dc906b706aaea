"""Unit tests of the models: both sides of each bound."""

import pytest
from pydantic import ValidationError

from src.models.requests import ChatRequest


@pytest.mark.skip(reason="an example: fill it in")
def test_a_conversation_has_at_least_one_message() -> None:
    with pytest.raises(ValidationError) as refusal:
        ChatRequest.model_validate({"messages": []})

    assert refusal.value.errors()[0]["loc"] == ("messages",)
