"""What the application is made of."""

from dataclasses import dataclass

from src.config.settings import Settings
from src.services.budget import DailyBudget
from src.services.health import HealthChecker
from src.services.limits import SlidingWindow
from src.services.llm import LLMService
from src.services.providers import Providers


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
    """Return OpenAI, and Anthropic if there is a key for it."""
    # An SDK takes a second to import: only what is used is, and only once the settings were found valid.
    from src.services.openai_provider import OpenAIProvider

    first = OpenAIProvider.connect(settings.openai_api_key.get_secret_value(), settings.openai_base_url)
    if settings.anthropic_api_key is None:
        return Providers(first)
    from src.services.anthropic_provider import AnthropicProvider

    return Providers(
        first,
        AnthropicProvider.connect(settings.anthropic_api_key.get_secret_value(), settings.anthropic_base_url),
    )
