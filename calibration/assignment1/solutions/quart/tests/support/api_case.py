"""The base of the integration tests."""

import os
import unittest
from dataclasses import replace

import respx

os.environ.setdefault("OPENAI_API_KEY", "test")

from src.config.settings import get_settings  # noqa: E402
from src.main import create_app  # noqa: E402

CHAT = "/api/v1/chat/completions"
HELLO = {"messages": [{"role": "user", "content": "Hello"}]}


class ApiCase(unittest.IsolatedAsyncioTestCase):
    settings: dict = {}

    async def asyncSetUp(self) -> None:
        base = {"openai_base_url": "https://openai.test/v1", "anthropic_api_key": "", **self.settings}
        self.app = create_app(replace(get_settings(), **base))
        self.router = respx.MockRouter(base_url="https://openai.test/v1", assert_all_called=False)
        self.router.start()
        self.addCleanup(self.router.stop)
        context = self.app.test_app()
        await self.enterAsyncContext(context)
        self.client = context.test_client()

    async def ask(self, body=HELLO, **more):
        return await self.client.post(CHAT, json=body, **more)

    def assertRefused(self, response, status: int) -> None:
        self.assertEqual(response.status_code, status)
        self.assertEqual(response.mimetype, "application/json")
