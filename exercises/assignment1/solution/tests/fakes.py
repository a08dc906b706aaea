"""Stand-ins for what the tests must not use: providers, waiting, and clocks."""

from collections.abc import AsyncGenerator, Sequence

from src.models.requests import Message
from src.models.responses import Usage
from src.services.errors import ProviderError, ProviderFailedError
from src.services.providers import Completion, Prompt, StreamEnd

USAGE = Usage(input_tokens=1000, output_tokens=200, total_tokens=1200)


class FakeProvider:
    """Does with each call what its script says: raise an error, or answer a text. The last step repeats."""

    def __init__(self, *steps: str | ProviderError, name: str = "openai", usage: Usage = USAGE) -> None:
        self.name = name
        self.usage = usage
        self.steps: Sequence[str | ProviderError] = steps or ("Hello.",)
        self.prompts: list[Prompt] = []
        self.healthy = True
        self.closed_streams = 0

    async def complete(self, prompt: Prompt) -> Completion:
        return Completion(self._next(prompt), prompt.model, self.usage)

    async def stream(self, prompt: Prompt) -> AsyncGenerator[str | StreamEnd, None]:
        """Yield the words of a text. A text that ends with `...` breaks off there."""
        text = self._next(prompt)
        try:
            for word in text.split():
                yield word
            if text.endswith("..."):
                raise ProviderFailedError
            yield StreamEnd(prompt.model, self.usage)
        finally:
            self.closed_streams += 1

    async def check(self) -> None:
        if not self.healthy:
            raise ProviderFailedError

    async def close(self) -> None:
        pass

    def _next(self, prompt: Prompt) -> str:
        step = self.steps[min(len(self.prompts), len(self.steps) - 1)]
        self.prompts.append(prompt)
        if isinstance(step, ProviderError):
            raise step
        return step


class FakeSleep:
    """Remembers the pauses instead of making them."""

    def __init__(self) -> None:
        self.pauses: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.pauses.append(seconds)


class FakeClock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def prompt(model: str = "gpt-4o-mini", content: str = "Hello", temperature: float = 0.7) -> Prompt:
    return Prompt((Message(role="user", content=content),), model, temperature, max_tokens=100)
