"""The interface that each provider has, and the choice of the provider for a model."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Protocol

from src.models.requests import Message
from src.models.responses import Usage

TIMEOUT_SECONDS = 25.0
CONNECT_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a model is asked."""

    messages: tuple[Message, ...]
    model: str
    temperature: float
    max_tokens: int


@dataclass(frozen=True, slots=True)
class Completion:
    """What a model answered. `model` is the name that the provider reported."""

    content: str
    model: str
    usage: Usage


@dataclass(frozen=True, slots=True)
class StreamEnd:
    """The end of a whole streamed answer."""

    model: str
    usage: Usage | None


class Provider(Protocol):
    """Makes each call once. Failures are raised as a ProviderError, without the provider's words."""

    name: str

    async def complete(self, prompt: Prompt) -> Completion:
        """Return the answer to a prompt."""

    def stream(self, prompt: Prompt) -> AsyncGenerator[str | StreamEnd, None]:
        """Yield the pieces of an answer that are not empty, then its end."""

    async def check(self) -> None:
        """Ask for something that costs nothing, to see whether the provider answers."""

    async def close(self) -> None:
        """Close the connections."""


class Providers:
    """The providers in use. Claude's models are the second one's if there is one."""

    def __init__(self, openai: Provider, anthropic: Provider | None = None) -> None:
        self.first = openai
        self._anthropic = anthropic

    def all(self) -> tuple[Provider, ...]:
        return (self.first,) if self._anthropic is None else (self.first, self._anthropic)

    def for_model(self, model: str) -> Provider:
        """Return the provider that has a model."""
        return self._anthropic if self._anthropic and _is_claude(model) else self.first

    def offers(self, model: str) -> bool:
        """Return whether a model can be chosen without the caller having asked for it."""
        return self._anthropic is not None or not _is_claude(model)


def _is_claude(model: str) -> bool:
    return model.startswith("claude-")
