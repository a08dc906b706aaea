"""Completions: the provider for a model, retries by stamina, one deadline, a fallback, the cost."""

import logging
from concurrent.futures import ThreadPoolExecutor
import time
from collections.abc import Iterator

import stamina

from src.core.errors import ApiError
from src.models.requests import ChatRequest
from src.models.responses import ChatResponse, Usage
from src.services.pricing import cost_of
from src.services.providers import Completion, Prompt, Provider, ProviderError, RateLimited, Refused

log = logging.getLogger(__name__)

DEADLINE = 20.0
LONGEST_PAUSE = 3.0
FALLBACKS = {"gpt-4o": ("gpt-4o-mini", "claude-3-5-sonnet")}


def backoff(error: Exception) -> bool | float:
    """Decide about a retry: stamina takes a number as the pause."""
    if isinstance(error, RateLimited) and error.retry_after is not None:
        return error.retry_after if error.retry_after <= LONGEST_PAUSE else False
    return isinstance(error, ProviderError) and error.transient


class LLMService:
    """Completes conversations; takes its providers from outside."""

    def __init__(self, openai: Provider, anthropic: Provider | None, default_model: str, max_tokens: int) -> None:
        self._openai = openai
        self._anthropic = anthropic
        self._default_model = default_model
        self._max_tokens = max_tokens
        self._pool = ThreadPoolExecutor(64)

    def complete(self, request: ChatRequest) -> ChatResponse:
        start = time.perf_counter()
        try:
            completion = self._pool.submit(self._first_that_answers, request).result(DEADLINE)
        except TimeoutError:
            raise ApiError(504, "provider_timeout", "The provider did not answer in time.") from None
        except ProviderError as error:
            raise told(error) from None
        return ChatResponse(
            content=completion.content,
            model=completion.model,
            usage=completion.usage,
            cost_usd=cost_of(completion.model, completion.usage),
            latency_ms=round((time.perf_counter() - start) * 1000, 3),
        )

    def stream(self, request: ChatRequest) -> tuple[str, Iterator[str | Usage]]:
        """Open a stream: errors before its first piece are raised here."""
        try:
            for prompt in self._prompts(request):
                try:
                    for attempt in self._attempts():
                        with attempt:
                            pieces = self._provider(prompt.model).stream(prompt)
                            first = next(pieces)
                    return prompt.model, self._rest(first, pieces)
                except RateLimited as error:
                    last = error
            raise last
        except (TimeoutError, StopIteration):
            raise ApiError(504, "provider_timeout", "The provider did not answer in time.") from None
        except ProviderError as error:
            raise told(error) from None

    @staticmethod
    def _rest(first: str | Usage, pieces) -> Iterator[str | Usage]:
        yield first
        yield from pieces

    def _first_that_answers(self, request: ChatRequest) -> Completion:
        last: Exception | None = None
        for prompt in self._prompts(request):
            try:
                for attempt in self._attempts():
                    with attempt:
                        return self._provider(prompt.model).complete(prompt)
            except RateLimited as error:
                log.warning("%s is rate limited", prompt.model[:64])
                last = error
        assert last is not None
        raise last

    @staticmethod
    def _attempts():
        return stamina.retry_context(
            on=backoff, attempts=4, timeout=None, wait_initial=0.2, wait_jitter=0.1, wait_max=3.0, wait_exp_base=2
        )

    def _prompts(self, request: ChatRequest) -> Iterator[Prompt]:
        wanted = request.model or self._default_model
        for model in (wanted, *FALLBACKS.get(wanted, ())):
            if model.startswith("claude-") and model != wanted and self._anthropic is None:
                continue
            tokens = request.max_tokens or min(1024, self._max_tokens)
            yield Prompt(model, request.messages, request.temperature, tokens)

    def _provider(self, model: str) -> Provider:
        return self._anthropic if self._anthropic and model.startswith("claude-") else self._openai


def told(error: ProviderError) -> ApiError:
    """Return what the caller is told about the provider's failure."""
    match error:
        case RateLimited():
            return ApiError(429, "provider_rate_limit", "The provider is rate limited. Try again later.")
        case Refused():
            return ApiError(400, "provider_refused", "The provider refused the request.")
        case _:
            return ApiError(502, "provider_failure", "The provider failed.")
