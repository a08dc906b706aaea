"""Unit tests of the service and its limits, with respx."""

import httpx
import pytest
import respx

from src.core.errors import ApiError
from src.core.limits import CallerLimit
from src.models.requests import ChatRequest, Message
from src.models.responses import Usage
from src.services import pricing
from src.services.llm import LLMService
from src.services.providers import OpenAI
from tests.support.provider import completion

HELLO = ChatRequest(messages=[Message("user", "Hello")])


@pytest.fixture
def openai():
    with respx.mock(base_url="https://openai.test/v1", assert_all_called=False) as router:
        yield router.post("/chat/completions")


@pytest.fixture
def service():
    with httpx.Client() as client:
        yield LLMService(OpenAI(client, "https://openai.test/v1", "k"), None, "gpt-4o-mini", 4096)


def test_retried(openai, service):
    openai.side_effect = [httpx.Response(503), httpx.ConnectError("refused"), completion("at last")]
    assert (service.complete(HELLO)).content == "at last"
    assert openai.call_count == 3


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_not_retried(openai, service, status):
    openai.mock(return_value=httpx.Response(status))
    with pytest.raises(ApiError):
        service.complete(HELLO)
    assert openai.call_count == 1


@pytest.mark.parametrize(
    ("model", "cost"), [("gpt-4o-mini", 0.75), ("gpt-4o", 12.5), ("claude-3-opus", 90), ("nobody", None)]
)
def test_cost(model, cost):
    assert pricing.cost_of(model, Usage(10**6, 10**6, 2 * 10**6)) == (cost and pytest.approx(cost))


def test_forgets_addresses():
    now = 0.0
    limit = CallerLimit(1, 10, clock=lambda: now)
    limit.admit("a")
    with pytest.raises(ApiError):
        limit.admit("a")
    now = 20.0
    limit.admit("b")
    assert len(limit) == 1
