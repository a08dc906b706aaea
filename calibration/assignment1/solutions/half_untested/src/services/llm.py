import asyncio
import logging
import random
import time

from src.config.settings import settings
from src.models.requests import Message
from src.models.responses import ChatResponse, Usage
from src.services.costs import cost, ledger
from src.services.providers import AnthropicProvider, OpenAIProvider, Provider, Reply, UpstreamError

logger = logging.getLogger(__name__)

RETRIES = 3
TOTAL_SECONDS = 26

openai = OpenAIProvider()
claude: AnthropicProvider | None = None
if settings.ANTHROPIC_API_KEY and settings.ANTHROPIC_API_KEY.get_secret_value():
    claude = AnthropicProvider(settings.ANTHROPIC_API_KEY.get_secret_value())


def pick(model: str) -> Provider:
    return claude if claude and model.startswith("claude-") else openai


async def with_retries(
    model: str, messages: list[Message], temperature: float, max_tokens: int
) -> Reply:
    for attempt in range(RETRIES + 1):
        try:
            return await pick(model).ask(model, messages, temperature, max_tokens)
        except UpstreamError as e:
            if not e.retry or attempt == RETRIES:
                raise
            pause = 0.5 * 2**attempt + random.uniform(0, 0.2)
            if e.after is not None and e.after <= 5:
                pause = max(e.after, 0.1)
            logger.warning("%s (%s), again in %.1f s", e.reason, model, pause)
            await asyncio.sleep(pause)
    raise AssertionError


async def with_fallback(
    model: str, messages: list[Message], temperature: float, max_tokens: int
) -> Reply:
    try:
        return await with_retries(model, messages, temperature, max_tokens)
    except UpstreamError as e:
        if e.status != 429 or model != "gpt-4o":
            raise
        try:
            return await with_retries("gpt-4o-mini", messages, temperature, max_tokens)
        except UpstreamError:
            raise e from None


async def complete(
    messages: list[Message], model: str, temperature: float, max_tokens: int
) -> ChatResponse:
    start = time.perf_counter()
    try:
        async with asyncio.timeout(TOTAL_SECONDS):
            reply = await with_fallback(model, messages, temperature, max_tokens)
    except TimeoutError:
        raise UpstreamError(504, "the provider took too long") from None
    price = cost(reply.model, reply.input_tokens, reply.output_tokens)
    ledger.add(price or 0)
    return ChatResponse(
        content=reply.text,
        model=reply.model,
        usage=Usage(
            input_tokens=reply.input_tokens,
            output_tokens=reply.output_tokens,
            total_tokens=reply.input_tokens + reply.output_tokens,
        ),
        cost_usd=price,
        latency_ms=(time.perf_counter() - start) * 1000,
    )
