"""Completions by aiohttp, with an async generator of models to try."""

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

import aiohttp

from src.config.settings import Settings
from src.models.chat import ChatRequest, ChatResponse, Usage

PRICES = {"gpt-4o": (2.5, 10.0), "gpt-4o-mini": (0.15, 0.6)}
FALLBACK = "gpt-4o-mini"
log = logging.getLogger("llm")


class Failure(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class RateLimited(Failure):
    def __init__(self) -> None:
        super().__init__(429, "the provider is rate limited")


class LLMService:
    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def complete(self, request: ChatRequest) -> ChatResponse:
        last: Failure = RateLimited()
        async for answer in self._tries(request):
            if isinstance(answer, ChatResponse):
                return answer
            last = answer
        raise last

    async def _tries(self, request: ChatRequest) -> AsyncIterator[ChatResponse | RateLimited]:
        wanted = request.model or self._settings.default_model
        for model in dict.fromkeys((wanted, FALLBACK)):
            try:
                yield self._read(await self._call(model, request))
            except RateLimited as limited:
                log.warning("%s is rate limited", model)
                yield limited

    async def _call(self, model: str, request: ChatRequest) -> Any:
        body = {
            "model": model,
            "messages": request.messages,
            "temperature": request.temperature,
            "max_tokens": request.max_tokens,
        }
        headers = {"Authorization": f"Bearer {self._settings.key}"}
        url = f"{self._settings.base_url}/chat/completions"
        try:
            async with (
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=25)) as session,
                session.post(url, json=body, headers=headers) as response,
            ):
                match response.status:
                    case 200:
                        return await response.json()
                    case 429:
                        raise RateLimited
                    case 400:
                        raise Failure(400, "the provider refused the request")
                    case _:
                        raise Failure(502, "the provider failed")
        except (aiohttp.ClientError, ValueError):
            raise Failure(502, "the provider failed") from None
        except asyncio.TimeoutError:
            raise Failure(504, "the provider is slow") from None

    def _read(self, answer: Any) -> ChatResponse:
        try:
            used = answer["usage"]
            prompt, completion = used["prompt_tokens"], used["completion_tokens"]
            price = PRICES.get(answer["model"])
            cost = (prompt * price[0] + completion * price[1]) / 1e6 if price else None
            usage = Usage(prompt, completion, used["total_tokens"], cost)
            return ChatResponse(answer["choices"][0]["message"]["content"], answer["model"], usage)
        except (LookupError, TypeError):
            raise Failure(502, "the provider sent no completion") from None
