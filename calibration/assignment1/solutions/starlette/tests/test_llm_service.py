import asyncio
import unittest
from unittest.mock import patch

import httpx2
import pytest

from src.config.settings import ConfigError, Settings
from src.models.requests import ChatMessage
from src.services.limits import DailySpend, RequestLimit
from src.services.llm import LLMError, LLMService
from src.services.pricing import cost_usd
from tests.helpers import Upstream

HELLO = [ChatMessage(role="user", content="Hello")]


async def chat(upstream, model="gpt-4o-mini", spend=None, **options):
    service = LLMService(upstream.provider(**options), spend or DailySpend(1))
    return await service.chat(HELLO, model, 0.7, 100)


class TestRetries(unittest.IsolatedAsyncioTestCase):
    async def test_what_passes(self):
        for status in (429, 500, 502, 503, 504):
            upstream = Upstream(status, status)
            answer = await chat(upstream)
            self.assertEqual(answer.content, "Good morning!")
            self.assertEqual(len(upstream.bodies), 3)

    async def test_a_broken_connection(self):
        with patch("openai._base_client.anyio.sleep"):
            answer = await chat(Upstream(httpx2.ConnectError("refused")))
        self.assertEqual(answer.content, "Good morning!")

    async def test_what_does_not_pass(self):
        for status, ours in ((400, 400), (401, 500), (403, 500), (404, 500)):
            upstream = Upstream(status)
            with self.assertRaises(LLMError) as caught:
                await chat(upstream)
            self.assertEqual(caught.exception.status, ours)
            self.assertEqual(len(upstream.bodies), 1)

    async def test_what_stays(self):
        for status, ours in ((429, 429), (500, 502), (503, 502)):
            upstream = Upstream(*[status] * 5)
            with self.assertRaises(LLMError) as caught:
                await chat(upstream)
            self.assertEqual(caught.exception.status, ours)
            self.assertEqual(len(upstream.bodies), 3)

    async def test_errors_do_not_quote_the_key(self):
        with self.assertRaises(LLMError) as caught:
            await chat(Upstream(401))
        self.assertNotIn("sk-for-tests", str(caught.exception))

    async def test_unreachable(self):
        with self.assertRaises(LLMError) as caught:
            await chat(Upstream(httpx2.ConnectError("refused")), max_retries=0)
        self.assertEqual(caught.exception.status, 503)

    async def test_time_out(self):
        with self.assertRaises(LLMError) as caught:
            await chat(Upstream(httpx2.ReadTimeout("slow")), max_retries=0)
        self.assertEqual(caught.exception.status, 504)

    async def test_deadline(self):
        class Hanging:
            async def complete(self, **params):
                await asyncio.sleep(60)

        with patch("src.services.llm.DEADLINE", 0.02), self.assertRaises(LLMError) as caught:
            await LLMService(Hanging(), DailySpend(1)).chat(HELLO, "m", 0.7, 10)
        self.assertEqual(caught.exception.status, 504)


class TestFallback(unittest.IsolatedAsyncioTestCase):
    async def test_gpt_4o_falls_back(self):
        answer = await chat(Upstream(limited=["gpt-4o"]), "gpt-4o")
        self.assertEqual(answer.model, "gpt-4o-mini")
        self.assertAlmostEqual(answer.cost, 100 * 0.15e-6 + 200 * 0.6e-6)

    async def test_no_way_out(self):
        with self.assertRaises(LLMError) as caught:
            await chat(Upstream(limited=["gpt-4o", "gpt-4o-mini"]), "gpt-4o")
        self.assertEqual(caught.exception.status, 429)


class TestLimits(unittest.IsolatedAsyncioTestCase):
    async def test_request_limit(self):
        limit = RequestLimit(2, 30)
        self.assertEqual(await limit.seconds_to_wait("a"), 0)
        self.assertEqual(await limit.seconds_to_wait("a"), 0)
        self.assertTrue(29 <= await limit.seconds_to_wait("a") <= 30)
        self.assertEqual(await limit.seconds_to_wait("b"), 0)

    async def test_spend(self):
        spend = DailySpend(0.0001)
        answer = await chat(Upstream(), spend=spend)
        self.assertEqual(spend.total, answer.cost)
        self.assertTrue(spend.is_used_up())
        with patch.object(DailySpend, "today", staticmethod(lambda: "2999-01-01")):
            self.assertFalse(spend.is_used_up())


@pytest.mark.parametrize(
    "model, expected",
    [
        ("gpt-4o-mini", 0.75),
        ("gpt-4o-mini-2024-07-18", 0.75),
        ("gpt-4o", 12.5),
        ("claude-3-5-sonnet", 18),
        ("claude-3-opus-20240229", 90),
        ("mystery", None),
    ],
)
def test_cost(model, expected):
    assert cost_usd(model, 1_000_000, 1_000_000) == expected


def test_unknown_price_is_said():
    answer = asyncio.run(chat(Upstream(), "mystery"))
    assert (answer.cost, answer.price_known) == (0, False)


@pytest.mark.parametrize(
    "name, value",
    [
        ("OPENAI_API_KEY", ""),
        ("RATE_LIMIT_REQUESTS", "1O0"),
        ("RATE_LIMIT_WINDOW", "0"),
        ("MAX_TOKENS_PER_REQUEST", "-5"),
        ("DAILY_COST_LIMIT", "-1"),
        ("DAILY_COST_LIMIT", "nan"),
        ("DEBUG", "maybe"),
    ],
)
def test_bad_settings(name, value):
    with pytest.raises(ConfigError, match=name):
        Settings.from_env({"OPENAI_API_KEY": "x", name: value})


def test_settings_do_not_show_the_key():
    assert "sk-hidden" not in repr(Settings.from_env({"OPENAI_API_KEY": "sk-hidden"}))
