import asyncio
import json

import httpx
import msgspec
import pytest

from src.config.settings import parse
from src.models.requests import Message
from src.services import errors, llm
from src.services.limits import Purse, WindowLimiter
from src.services.llm import Gateway
from src.services.pricing import cost
from src.services.providers import Anthropic, Ask, OpenAI
from tests.conftest import ANTHROPIC, OPENAI, completion


@pytest.fixture
def purse():
    return Purse(1.0)


@pytest.fixture
def gateway(purse):
    return Gateway(OpenAI("key", OPENAI), None, purse)


@pytest.fixture
def two_providers(purse):
    return Gateway(OpenAI("key", OPENAI), Anthropic("key", ANTHROPIC), purse)


@pytest.fixture
def claude(upstream):
    return upstream.post(f"{ANTHROPIC}/v1/messages").respond(
        json={
            "model": "claude-3-5-sonnet",
            "content": [{"type": "text", "text": "Quite "}, {"type": "text", "text": "so."}],
            "usage": {"input_tokens": 100, "output_tokens": 50},
        }
    )


def chat(gateway, model="gpt-4o-mini", *messages):
    messages = messages or (Message("user", "Hello"),)
    return asyncio.run(gateway.chat(Ask(model, messages, 1.5, 100)))


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_passing(gateway, openai, status):
    openai.side_effect = [httpx.Response(status)] * 2 + [httpx.Response(200, json=completion())]
    assert chat(gateway).content == "A fine day."
    assert openai.call_count == 3


def test_passing_connections(gateway, openai):
    openai.side_effect = [
        httpx.ConnectError("refused"),
        httpx.ReadError("reset"),
        httpx.Response(200, json=completion()),
    ]
    assert chat(gateway).content == "A fine day."


@pytest.mark.parametrize(
    ("failure", "error", "calls"),
    [
        (httpx.Response(429), errors.RateLimited, 4),
        (httpx.Response(503), errors.Failing, 4),
        (httpx.ConnectError("refused"), errors.Unreachable, 4),
        (httpx.ReadTimeout("slow"), errors.TimedOut, 4),
        (httpx.Response(400), errors.Refused, 1),
        (httpx.Response(401), errors.NoAccess, 1),
        (httpx.Response(403), errors.NoAccess, 1),
        (httpx.Response(404), errors.NoAccess, 1),
        (httpx.Response(200, text="hello"), errors.Nonsense, 1),
        (httpx.Response(200, json=[]), errors.Nonsense, 1),
        (httpx.Response(200, json={"choices": []}), errors.Nonsense, 1),
    ],
)
def test_lasting(gateway, openai, failure, error, calls):
    openai.side_effect = [failure] * 4
    with pytest.raises(error):
        chat(gateway)
    assert openai.call_count == calls


@pytest.mark.parametrize(
    ("error", "decision"),
    [
        (errors.RateLimited("openai"), True),
        (errors.RateLimited("openai", 1.5), 1.5),
        (errors.RateLimited("openai", 3600), True),
        (errors.Refused("openai"), False),
        (ValueError(), False),
    ],
)
def test_when_to_retry(error, decision):
    assert llm.should_retry(error) == decision


def test_hanging(gateway, openai, monkeypatch):
    async def hang(request):
        await asyncio.sleep(30)

    monkeypatch.setattr(llm, "REQUEST_TIMEOUT", 0.05)
    openai.side_effect = hang
    with pytest.raises(errors.TimedOut):
        chat(gateway)


def test_fallback_to_the_other_provider(two_providers, openai, claude, purse):
    openai.respond(429)
    answer = chat(two_providers, "gpt-4o")
    assert (answer.content, answer.model) == ("Quite so.", "claude-3-5-sonnet")
    assert answer.cost_usd == pytest.approx(100 * 3e-6 + 50 * 15e-6)
    assert not purse.empty


def test_fallback_to_another_model(gateway, openai):
    def limited(request):
        model = json.loads(request.content)["model"]
        return httpx.Response(429) if model == "gpt-4o" else httpx.Response(200, json=completion())

    openai.side_effect = limited
    assert chat(gateway, "gpt-4o").model == "gpt-4o-mini"


def test_limited_everywhere(two_providers, openai, claude):
    openai.respond(429)
    claude.respond(500)
    with pytest.raises(errors.RateLimited):
        chat(two_providers, "gpt-4o")


def test_claude_gets_what_it_wants(two_providers, claude):
    chat(two_providers, "claude-3-5-sonnet", Message("system", "Be kind"), Message("user", "Hi"))
    assert json.loads(claude.calls.last.request.content) == {
        "model": "claude-3-5-sonnet",
        "system": "Be kind",
        "messages": [{"role": "user", "content": "Hi"}],
        "max_tokens": 100,
        "temperature": 1.0,
    }


@pytest.mark.parametrize(
    ("model", "dollars"),
    [
        ("gpt-4o-mini", 0.75),
        ("gpt-4o", 12.5),
        ("gpt-4o-2024-11-20", 12.5),
        ("claude-3-5-sonnet", 18.0),
        ("claude-3-opus", 90.0),
        ("gpt-4o-turbo", None),
    ],
)
def test_cost(model, dollars):
    assert cost(model, 10**6, 10**6) == dollars


def test_purse(purse):
    purse.pay(0.6)
    assert not purse.empty
    purse.pay(0.6)
    assert purse.empty


def test_windows():
    now = 100.0
    limiter = WindowLimiter(2, 10, clock=lambda: now)
    assert [limiter.hit("a") for _ in range(3)] == [None, None, 10]
    assert limiter.hit("b") is None
    now = 104.5
    assert limiter.hit("a") == 6
    now = 110.0
    assert limiter.hit("a") is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OPENAI_API_KEY", " "),
        ("RATE_LIMIT_REQUESTS", "1O0"),
        ("RATE_LIMIT_WINDOW", "0"),
        ("MAX_TOKENS_PER_REQUEST", "-1"),
        ("DAILY_COST_LIMIT", "-0.5"),
        ("DAILY_COST_LIMIT", "nan"),
        ("DEBUG", "perhaps"),
    ],
)
def test_settings_are_checked(name, value):
    with pytest.raises(msgspec.ValidationError, match=name):
        parse({"OPENAI_API_KEY": "key", name: value})


def test_settings():
    settings = parse({"OPENAI_API_KEY": "secret", "RATE_LIMIT_WINDOW": "5", "DEBUG": "true"})
    assert (settings.rate_limit_window, settings.debug) == (5, True)
    assert "secret" not in repr(settings)
