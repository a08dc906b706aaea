"""OpenAI's Chat Completions API."""

from collections.abc import AsyncGenerator
from typing import Any

import httpx

from src.services.errors import BadAnswer, ProviderFailed, ProviderUnreachable
from src.services.providers.base import Completion, HTTPProvider, Prompt, StreamEnd


class OpenAIProvider(HTTPProvider):
    name = "openai"
    ping_path = "/models"

    def __init__(
        self, key: str, base_url: str, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        super().__init__(base_url, {"Authorization": f"Bearer {key}"}, transport)

    async def complete(self, prompt: Prompt) -> Completion:
        data = await self.post("/chat/completions", body_of(prompt))
        try:
            usage = data.get("usage") or {}
            return Completion(
                content=data["choices"][0]["message"]["content"] or "",
                model=data.get("model") or prompt.model,
                input_tokens=int(usage.get("prompt_tokens", 0)),
                output_tokens=int(usage.get("completion_tokens", 0)),
            )
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise BadAnswer from error

    async def stream(self, prompt: Prompt) -> AsyncGenerator[str | StreamEnd]:
        body = body_of(prompt) | {"stream": True, "stream_options": {"include_usage": True}}
        model, finished = prompt.model, False
        usage: dict[str, int] = {}
        async for event in self.post_stream("/chat/completions", body):
            if "error" in event:
                raise ProviderFailed
            model = event.get("model") or model
            usage = event.get("usage") or usage
            for choice in event.get("choices", [])[:1]:
                finished = finished or choice.get("finish_reason") is not None
                if text := choice.get("delta", {}).get("content"):
                    yield text
        if not (finished or usage):
            raise ProviderUnreachable
        yield StreamEnd(
            model, usage.get("prompt_tokens", 0), usage.get("completion_tokens", 0)
        )


def body_of(prompt: Prompt) -> dict[str, Any]:
    return {
        "model": prompt.model,
        "messages": [message.model_dump() for message in prompt.messages],
        "temperature": prompt.temperature,
        "max_tokens": prompt.max_tokens,
    }
