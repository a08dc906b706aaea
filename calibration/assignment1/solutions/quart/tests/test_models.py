"""Unit tests of the models: examples, and properties by hypothesis."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from src.models.requests import ChatRequest

turns = st.lists(st.text(min_size=1, max_size=50), min_size=1, max_size=49)


def valid(**more):
    return {"messages": [{"role": "user", "content": "x"}], **more}


def check(body):
    return msgspec.convert(body, ChatRequest)


class TestBounds:
    @pytest.fixture(params=[0, 1, 2, 0.7], ids=str)
    def temperature(self, request):
        return request.param

    def test_temperature_inside(self, temperature):
        assert check(valid(temperature=temperature)).temperature == temperature

    @pytest.mark.parametrize(
        ("field", "value"),
        [("temperature", -0.01), ("temperature", 2.01), ("max_tokens", 0), ("max_tokens", 4097), ("messages", [])],
    )
    def test_outside(self, field, value):
        with pytest.raises(msgspec.ValidationError, match=field):
            check(valid() | {field: value})


class TestConversation:
    @given(turns)
    def test_alternating_is_accepted(self, contents):
        messages = []
        for content in contents:
            messages += [{"role": "user", "content": content}, {"role": "assistant", "content": content}]
        assert len(check({"messages": messages}).messages) == 2 * len(contents)

    @given(st.sampled_from(["assistant", "robot", ""]))
    def test_bad_beginning(self, role):
        with pytest.raises(msgspec.ValidationError):
            check({"messages": [{"role": role, "content": "x"}]})
