"""What the application is made of."""

from dataclasses import dataclass

import anthropic
import openai

from src.config.settings import Settings
from src.services.anthropic_provider import AnthropicProvider
from src.services.budget import DailyBudget
from src.services.health import HealthChecker
from src.services.limits import SlidingWindow
from src.services.llm import LLMService
from src.services.openai_provider import OpenAIProvider
from src.services.providers import Providers

_TIMEOUT_SECONDS = 25.0
_CONNECT_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Services:
    """One of each, for the life of the application."""

    settings: Settings
    providers: Providers
    llm: LLMService
    limiter: SlidingWindow
    health: HealthChecker


def make_services(settings: Settings, providers: Providers | None = None) -> Services:
    """Put the services together; tests bring their own providers."""
    providers = providers or make_providers(settings)
    return Services(
        settings=settings,
        providers=providers,
        llm=LLMService(providers, DailyBudget(settings.daily_cost_limit)),
        limiter=SlidingWindow(settings.rate_limit_requests, settings.rate_limit_window),
        health=HealthChecker(providers),
    )


def make_providers(settings: Settings) -> Providers:
    """Return OpenAI, and Anthropic if there is a key for it. A base URL of None is the SDK's own."""
    first = OpenAIProvider(
        openai.AsyncOpenAI(
            api_key=settings.openai_api_key.get_secret_value(),
            base_url=settings.openai_base_url,
            timeout=openai.Timeout(_TIMEOUT_SECONDS, connect=_CONNECT_SECONDS),
            max_retries=0,
        )
    )
    if settings.anthropic_api_key is None:
        return Providers(first)
    second = AnthropicProvider(
        anthropic.AsyncAnthropic(
            api_key=settings.anthropic_api_key.get_secret_value(),
            base_url=settings.anthropic_base_url,
            timeout=anthropic.Timeout(_TIMEOUT_SECONDS, connect=_CONNECT_SECONDS),
            max_retries=0,
        )
    )
    return Providers(first, second)
