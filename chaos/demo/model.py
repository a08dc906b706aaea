"""The scripted model of a stack, told to fail its next calls; see `chaos.llm.failures`."""

from typing import Self

import httpx

from chaos.demo.errors import NotThereError
from chaos.llm.failures import PATH

SECONDS = 3.0


class ScriptedModel:
    """The scripted model at `url`. Every method raises NotThereError where it does not answer."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._http = httpx.AsyncClient(base_url=url, timeout=SECONDS, trust_env=False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def fail(self, count: int, seconds: float) -> None:
        """Have the next `count` calls fail, if they come within so many seconds."""
        answer = await self._call("PUT", {"count": count, "seconds": seconds})
        if not answer.is_success:
            raise self._other()

    async def left(self) -> int | None:
        """How many calls are still to fail; None where none were told to."""
        answer = await self._call("GET")
        try:
            return int(answer.json()["left"]) if answer.is_success else None
        except (ValueError, KeyError, TypeError):
            raise self._other() from None

    async def heal(self) -> None:
        """Have no more calls fail."""
        await self._call("DELETE")

    async def _call(self, method: str, body: object = None) -> httpx.Response:
        try:
            return await self._http.request(method, PATH, json=body)
        except httpx.HTTPError:
            raise NotThereError(
                f"No scripted model answers at {self._url}; say where it is with --model."
            ) from None

    def _other(self) -> NotThereError:
        return NotThereError(
            f"What answers at {self._url} is not a scripted model that takes orders; name one with --model."
        )


def failing(count: int) -> str:
    """Say of how many calls that they fail."""
    return "the next call to the model fails" if count == 1 else f"the next {count} calls to the model fail"
