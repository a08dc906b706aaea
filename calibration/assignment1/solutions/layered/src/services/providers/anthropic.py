"""Anthropic's Messages API."""

from collections.abc import AsyncGenerator
from typing import Any

import httpx

from src.services.errors import BadAnswer, ProviderFailed, ProviderUnreachable
from src.services.providers.base import Completion, HTTPProvider, Prompt, StreamEnd

API_VERSION = "2023-06-01"
MAX_TEMPERATURE = 1.0  # Anthropic's scale ends here, ours (OpenAI's) at 2


class AnthropicProvider(HTTPProvider):
    name = "anthropic"
    ping_path = "/v1/models"

    def __init__(
        self, key: str, base_url: str, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        headers = {"x-api-key": key, "anthropic-version": API_VERSION}
        super().__init__(base_url, headers, transport)

    async def complete(self, prompt: Prompt) -> Completion:
        data = await self.post("/v1/messages", body_of(prompt))
        try:
            blocks = [block["text"] for block in data["content"] if block["type"] == "text"]
            usage = data["usage"]
            return Completion(
                content="".join(blocks),
                model=data.get("model") or prompt.model,
                input_tokens=int(usage["input_tokens"]),
                output_tokens=int(usage["output_tokens"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise BadAnswer from error

    async def stream(self, prompt: Prompt) -> AsyncGenerator[str | StreamEnd]:
        model, input_tokens, output_tokens, finished = prompt.model, 0, 0, False
        async for event in self.post_stream("/v1/messages", body_of(prompt) | {"stream": True}):
            match event.get("type"):
                case "error":
                    raise ProviderFailed
                case "message_start":
                    model = event["message"].get("model") or model
                    input_tokens = event["message"].get("usage", {}).get("input_tokens", 0)
                case "content_block_delta" if event["delta"].get("type") == "text_delta":
                    yield event["delta"]["text"]
                case "message_delta":
                    output_tokens = event.get("usage", {}).get("output_tokens", output_tokens)
                case "message_stop":
                    finished = True
        if not finished:
            raise ProviderUnreachable
        yield StreamEnd(model, input_tokens, output_tokens)


def body_of(prompt: Prompt) -> dict[str, Any]:
    system = [message.content for message in prompt.messages if message.role == "system"]
    body: dict[str, Any] = {
        "model": prompt.model,
        "messages": [m.model_dump() for m in prompt.messages if m.role != "system"],
        "temperature": min(prompt.temperature, MAX_TEMPERATURE),
        "max_tokens": prompt.max_tokens,
    }
    if system:
        body["system"] = "\n\n".join(system)
    return body
