"""Integration tests, by unittest and Quart's test client."""

import httpx

from tests.support.api_case import CHAT, HELLO, ApiCase
from tests.support.provider import completion


class TestCompletion(ApiCase):
    async def test_answer(self) -> None:
        self.router.post("/chat/completions").mock(return_value=completion("Bonjour", used=(21, 9)))
        response = await self.ask()
        body = await response.get_json()
        self.assertEqual(response.status_code, 200)
        self.assertEqual(body["content"], "Bonjour")
        self.assertEqual(body["usage"], {"input_tokens": 21, "output_tokens": 9, "total_tokens": 30})

    async def test_refusals(self) -> None:
        for name, body in {
            "no messages": {"messages": []},
            "role": {"messages": [{"role": "robot", "content": "x"}]},
            "temperature": {**HELLO, "temperature": 2.01},
        }.items():
            with self.subTest(name):
                self.assertRefused(await self.ask(body), 422)

    async def test_failures(self) -> None:
        for status, expected in ((400, 400), (401, 502), (500, 502), (429, 429)):
            with self.subTest(status=status):
                self.router.post("/chat/completions").mock(return_value=httpx.Response(status, json={}))
                self.assertRefused(await self.ask(), expected)


class TestRequestId(ApiCase):
    async def test_kept(self) -> None:
        response = await self.client.get("/nowhere", headers={"X-Request-ID": "mine-1"})
        self.assertEqual(response.headers["x-request-id"], "mine-1")

    async def test_made(self) -> None:
        ids = {(await self.client.get("/nowhere", headers={"X-Request-ID": "<b>"})).headers["x-request-id"] for _ in "123"}
        self.assertEqual(len(ids), 3)


class TestLimits(ApiCase):
    settings = {"rate_limit_requests": 2, "rate_limit_window": 60.0}

    async def test_third_request(self) -> None:
        self.router.post("/chat/completions").mock(return_value=completion())
        statuses = [(await self.ask()).status_code for _ in range(3)]
        self.assertEqual(statuses, [200, 200, 429])


class TestBudget(ApiCase):
    settings = {"daily_cost_limit": 0.0}

    async def test_refused(self) -> None:
        self.assertRefused(await self.ask(), 402)


class TestHealth(ApiCase):
    async def test_states(self) -> None:
        for status, expected in ((200, 200), (500, 503)):
            with self.subTest(status=status):
                self.router.get("/models").mock(return_value=httpx.Response(status))
                self.assertEqual((await self.client.get("/health")).status_code, expected)

    async def test_method(self) -> None:
        self.assertRefused(await self.client.get(CHAT), 405)
