"""Completions by OpenAI, with a fallback for a model that is rate limited."""

import asyncio
import logging
from typing import cast

import openai
from openai.types import CompletionUsage
from openai.types.chat import ChatCompletion, ChatCompletionMessage, ChatCompletionMessageParam
from openai.types.chat.chat_completion import Choice

from src.models.requests import ChatRequest
from src.models.responses import ChatResponse, Usage
from src.services.pricing import cost

FALLBACK = "gpt-4o-mini"
DEADLINE_SECONDS = 25.0

logger = logging.getLogger(__name__)


class MalformedAnswerError(Exception):
    """The provider answered with something that is no completion."""


class LLMService:
    """Answers with the model asked for, or with the fallback while that one is rate limited.

    The model asked for comes first each time, so it answers again as soon as it can. The client must not retry: a
    caller is served sooner by the fallback than by a second attempt.
    """

    def __init__(self, client: openai.AsyncOpenAI, default_model: str) -> None:
        self._client = client
        self._default_model = default_model

    async def complete(self, request: ChatRequest) -> ChatResponse:
        """Return the answer. Raises an openai.APIError, MalformedAnswerError, or TimeoutError after the deadline."""
        model = request.model or self._default_model
        async with asyncio.timeout(DEADLINE_SECONDS):
            try:
                return await self._ask(model, request)
            except openai.RateLimitError:
                if model == FALLBACK:
                    raise
                logger.warning("%s is rate limited; %s answers", model, FALLBACK)
                return await self._ask(FALLBACK, request)

    async def _ask(self, model: str, request: ChatRequest) -> ChatResponse:
        try:
            completion = await self._client.chat.completions.create(
                model=model,
                messages=[cast("ChatCompletionMessageParam", one.model_dump()) for one in request.messages],
                temperature=request.temperature,
                max_tokens=request.max_tokens,
            )
        except ValueError:  # a body that is no JSON
            raise MalformedAnswerError from None
        response = _read(completion)
        logger.info("%s answered with %d tokens", response.model, response.usage.output_tokens)
        return response


def _read(completion: ChatCompletion) -> ChatResponse:
    """Read a completion. The SDK validates nothing: what it returns can be anything."""
    match completion:
        case ChatCompletion(
            model=str(model),
            choices=[Choice(message=ChatCompletionMessage(content=str(content))), *_],
            usage=CompletionUsage(
                prompt_tokens=int(asked), completion_tokens=int(answered), total_tokens=int(total)
            ),
        ):
            usage = Usage(input_tokens=asked, output_tokens=answered, total_tokens=total)
            return ChatResponse(content=content, model=model, usage=usage, cost_usd=cost(model, usage))
    raise MalformedAnswerError
