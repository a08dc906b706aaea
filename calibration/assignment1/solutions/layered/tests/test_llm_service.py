import asyncio
import json

import httpx
import pytest

from src.models.requests import Message
from src.services.budget import DailyBudget
from src.services.errors import (
    BadAnswer,
    Misconfigured,
    ProviderFailed,
    ProviderTimeout,
    ProviderUnreachable,
    RateLimited,
    RequestRefused,
)
from src.services.llm import ATTEMPTS, LLMService, Result
from src.services.pricing import cost_of
from src.services.providers.anthropic import AnthropicProvider
from src.services.providers.base import Prompt
from src.services.providers.openai import OpenAIProvider
from src.services.ratelimit import TokenBucketLimiter, retry_after_header
from tests.fakes import FakeOpenAI


def service(fake: FakeOpenAI, **options: float) -> LLMService:
    provider = OpenAIProvider("key", "http://x.invalid/v1", httpx.MockTransport(fake.handle))
    return LLMService({"openai": provider}, DailyBudget(1.0), **options)


def ask(llm: LLMService, model: str = "gpt-4o-mini") -> Result:
    prompt = Prompt(model, [Message(role="user", content="Hello")], 0.7, 100)
    return asyncio.run(llm.complete(prompt))


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_passing_failures_are_retried(openai, status):
    openai.script = [httpx.Response(status), httpx.Response(status)]
    assert ask(service(openai)).completion.content == "Hi there."
    assert len(openai.asked) == 3


def test_broken_connections_are_retried(openai):
    openai.script = [httpx.ConnectError("refused"), httpx.RemoteProtocolError("gone")]
    assert ask(service(openai)).completion.content == "Hi there."


@pytest.mark.parametrize(
    ("step", "error", "calls"),
    [
        (httpx.Response(429), RateLimited, ATTEMPTS),
        (httpx.Response(500), ProviderFailed, ATTEMPTS),
        (httpx.ConnectError("refused"), ProviderUnreachable, ATTEMPTS),
        (httpx.ReadTimeout("slow"), ProviderTimeout, 1),
        (httpx.Response(400), RequestRefused, 1),
        (httpx.Response(401), Misconfigured, 1),
        (httpx.Response(403), Misconfigured, 1),
        (httpx.Response(404), Misconfigured, 1),
        (httpx.Response(200, text="<html>"), BadAnswer, 1),
        (httpx.Response(200, json={"choices": []}), BadAnswer, 1),
    ],
)
def test_lasting_failures(openai, step, error, calls):
    openai.script = [step] * 10
    with pytest.raises(error):
        ask(service(openai))
    assert len(openai.asked) == calls


def test_gives_up_at_the_deadline():
    async def hang(request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(60)
        raise AssertionError

    provider = OpenAIProvider("key", "http://x.invalid/v1", httpx.MockTransport(hang))
    with pytest.raises(ProviderTimeout):
        ask(LLMService({"openai": provider}, DailyBudget(1.0), deadline=0.05))


def test_rate_limited_gpt_4o_falls_back(openai):
    openai.limited_models = {"gpt-4o"}
    result = ask(service(openai), "gpt-4o")
    assert result.completion.model == "gpt-4o-mini"
    assert result.cost == pytest.approx(12 * 0.15e-6 + 30 * 0.60e-6)


def test_rate_limited_everywhere(openai):
    openai.limited_models = {"gpt-4o", "gpt-4o-mini"}
    with pytest.raises(RateLimited):
        ask(service(openai), "gpt-4o")


@pytest.mark.parametrize(
    ("model", "cost"),
    [
        ("gpt-4o-mini", 0.15 + 0.60),
        ("gpt-4o", 2.50 + 10.0),
        ("gpt-4o-2024-08-06", 2.50 + 10.0),
        ("claude-3-5-sonnet", 3.0 + 15.0),
        ("claude-3-5-sonnet-20241022", 3.0 + 15.0),
        ("claude-3-opus-latest", 15.0 + 75.0),
        ("gpt-4o-audio", None),
        ("gpt-5", None),
    ],
)
def test_cost_of_a_million_each(model, cost):
    assert cost_of(model, 1_000_000, 1_000_000) == cost


def test_the_budget_is_charged(openai):
    llm = service(openai)
    result = ask(llm)
    assert llm.budget.spent == result.cost
    assert result.cost == pytest.approx(0.0000198)


def test_the_budget_starts_anew_each_day():
    days = iter(["monday", "monday", "monday", "tuesday"])
    budget = DailyBudget(1.0, today=lambda: next(days))
    budget.add(1.5)
    assert budget.exhausted
    assert not budget.exhausted


def test_claude_goes_to_anthropic(openai):
    asked = []

    def handle(request: httpx.Request) -> httpx.Response:
        asked.append((request.url.path, json.loads(request.content)))
        answer = {
            "model": "claude-3-opus",
            "content": [{"type": "text", "text": "Bonjour."}],
            "usage": {"input_tokens": 10, "output_tokens": 20},
        }
        return httpx.Response(200, json=answer)

    llm = service(openai)
    llm.providers["anthropic"] = AnthropicProvider(
        "key", "http://a.invalid", httpx.MockTransport(handle)
    )
    messages = [Message(role="system", content="French."), Message(role="user", content="Hello")]
    result = asyncio.run(llm.complete(Prompt("claude-3-opus", messages, 1.5, 100)))
    assert result.completion.content == "Bonjour."
    assert result.cost == pytest.approx(10 * 15e-6 + 20 * 75e-6)
    path, body = asked[0]
    assert path == "/v1/messages"
    assert body["system"] == "French."
    assert body["messages"] == [{"role": "user", "content": "Hello"}]
    assert body["temperature"] == 1.0
    assert openai.asked == []


def test_token_bucket():
    now = 0.0
    limiter = TokenBucketLimiter(2, 10, clock=lambda: now)
    assert [limiter.acquire("a") for _ in range(3)] == [0, 0, 5]
    assert limiter.acquire("b") == 0
    now = 5.0
    assert limiter.acquire("a") == 0
    assert limiter.acquire("a") > 0


def test_retry_after_is_rounded_up():
    assert [retry_after_header(s) for s in (0.2, 1.0, 4.1)] == ["1", "1", "5"]
