import unittest

from pydantic import ValidationError

from src.models.requests import ChatMessage, ChatRequest
from src.models.responses import ErrorResponse, TokenUsage


def user(content="Hello"):
    return {"role": "user", "content": content}


def conversation(length):
    return [{"role": ("user", "assistant")[i % 2], "content": "x"} for i in range(length)]


def problems(**fields):
    """The fields that are wrong."""
    try:
        ChatRequest.model_validate({"messages": [user()], **fields})
    except ValidationError as error:
        return [".".join(map(str, p["loc"])) for p in error.errors()]
    return []


class TestBounds(unittest.TestCase):
    def test_temperature(self):
        self.assertEqual(problems(temperature=0), [])
        self.assertEqual(problems(temperature=2), [])
        self.assertEqual(problems(temperature=-0.1), ["temperature"])
        self.assertEqual(problems(temperature=2.1), ["temperature"])
        self.assertEqual(problems(temperature="hot"), ["temperature"])
        self.assertEqual(problems(temperature="1.0"), ["temperature"])

    def test_max_tokens(self):
        self.assertEqual(problems(max_tokens=1), [])
        self.assertEqual(problems(max_tokens=4096), [])
        self.assertEqual(problems(max_tokens=0), ["max_tokens"])
        self.assertEqual(problems(max_tokens=4097), ["max_tokens"])
        self.assertEqual(problems(max_tokens=10.5), ["max_tokens"])

    def test_number_of_messages(self):
        self.assertEqual(problems(messages=conversation(100)), [])
        self.assertEqual(problems(messages=conversation(101)), ["messages"])
        self.assertEqual(problems(messages=[]), ["messages"])

    def test_content(self):
        self.assertEqual(problems(messages=[user("x" * 32_000)]), [])
        self.assertEqual(problems(messages=[user("x" * 32_001)]), ["messages.0.content"])
        self.assertEqual(problems(messages=[user("")]), ["messages.0.content"])
        self.assertEqual(problems(messages=[user(None)]), ["messages.0.content"])


class TestConversation(unittest.TestCase):
    def test_first_message(self):
        system = {"role": "system", "content": "Be nice"}
        self.assertEqual(problems(messages=[system, user()]), [])
        self.assertEqual(problems(messages=[{"role": "assistant", "content": "Hi"}]), ["messages"])

    def test_no_role_twice_in_a_row(self):
        self.assertEqual(problems(messages=[user(), user()]), ["messages"])


def test_unknown_role():
    try:
        ChatMessage(role="robot", content="beep")
    except ValidationError as error:
        assert error.errors()[0]["loc"] == ("role",)
    else:
        raise AssertionError("a robot was let in")


def test_missing_messages():
    try:
        ChatRequest.model_validate({})
    except ValidationError as error:
        assert error.errors()[0]["type"] == "missing"
    else:
        raise AssertionError("no messages, no error")


def test_optional_fields():
    request = ChatRequest.model_validate({"messages": [user()], "model": None})
    assert request.model is None
    assert request.temperature is None
    assert request.max_tokens is None


def test_responses():
    usage = TokenUsage(input_tokens=1, output_tokens=2, total_tokens=3)
    assert usage.model_dump() == {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}
    assert ErrorResponse(code="c", message="m").errors == []
