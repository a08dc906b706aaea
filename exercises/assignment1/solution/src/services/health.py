"""The state of the providers."""

import asyncio
import time
from collections.abc import Callable

from src.services.errors import ProviderError
from src.services.providers import Provider, Providers

_PATIENCE_SECONDS = 3.0
_FRESH_SECONDS = 2.0
"""How long a result is used again, so that many callers do not become many calls."""


class HealthChecker:
    """Asks the providers whether they answer, at most once every two seconds."""

    def __init__(self, providers: Providers, clock: Callable[[], float] = time.monotonic) -> None:
        self._providers = providers
        self._clock = clock
        self._lock = asyncio.Lock()
        self._states: dict[str, bool] = {}
        self._checked: float | None = None

    async def states(self) -> dict[str, bool]:
        """Return for each provider, by its name, whether it answers. The first one is the service's default."""
        async with self._lock:
            if self._checked is None or self._clock() - self._checked > _FRESH_SECONDS:
                providers = self._providers.all()
                answers = await asyncio.gather(*(_answers(provider) for provider in providers))
                self._states = dict(zip((one.name for one in providers), answers, strict=True))
                self._checked = self._clock()
            return self._states


async def _answers(provider: Provider) -> bool:
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            await provider.check()
    except (ProviderError, TimeoutError):
        return False
    return True
