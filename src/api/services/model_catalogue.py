"""Which models there are: those that the backend lists, or the ones known here while it does not answer."""

import asyncio
import time
from typing import Any

import httpx
import structlog

from api.services.prompts import Model

log = structlog.get_logger("api.models")

_KEEP_SECONDS = 30.0
_MOST_MODELS = 500
OTHER = "other"


def _card(model: str) -> dict[str, Any]:
    return {"id": model, "object": "model", "created": 0, "owned_by": "litellm"}


class ModelCatalogue:
    """Asks the backend when somebody wants to know, at most once in `_KEEP_SECONDS`, whoever asks at the same time."""

    def __init__(self, http: httpx.AsyncClient, *, base_url: str, api_key: str) -> None:
        self._http = http
        self._url = f"{base_url}/v1/models"
        self._headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._cards = {model.value: _card(model) for model in Model}
        self._names = set(self._cards)
        self._asked_at = -float("inf")
        self._asking: asyncio.Task[None] | None = None

    async def cards(self) -> dict[str, dict[str, Any]]:
        """The models by their names, as OpenAI's API describes them."""
        self._refresh()
        if self._asking is not None:
            await asyncio.shield(self._asking)
        return self._cards

    def label(self, model: str) -> str:
        """The model's name for a metric: "other" for one that nobody has listed, or series would be without bound."""
        if model in self._names:
            return model
        self._refresh()
        return OTHER

    async def close(self) -> None:
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.wait({self._asking})

    def _refresh(self) -> None:
        if time.monotonic() - self._asked_at >= _KEEP_SECONDS:
            self._asked_at = time.monotonic()
            self._asking = asyncio.create_task(self._ask())

    async def _ask(self) -> None:
        try:
            answer = await self._http.get(self._url, headers=self._headers)
            cards = _read(answer.raise_for_status().json())
        except (httpx.HTTPError, ValueError, LookupError, TypeError) as error:
            log.info("the backend lists no models", error=type(error).__name__)
            return
        if cards:
            self._cards = cards
            self._names = {*Model, *cards}


def _read(listed: Any) -> dict[str, dict[str, Any]]:
    models = [entry for entry in listed["data"][:_MOST_MODELS] if isinstance(entry["id"], str)]
    return {entry["id"]: _card(entry["id"]) | {"owned_by": str(entry.get("owned_by"))} for entry in models}
