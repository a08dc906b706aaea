"""The models that the backend lists. Only they become labels of metrics."""

import asyncio
from collections.abc import Iterable
from typing import Any

import structlog

from .backend import Answer, Backend
from .errors import ApiError

log = structlog.get_logger("gateway.catalogue")


class Catalogue:
    def __init__(self, backend: Backend, configured: Iterable[str]) -> None:
        self._backend = backend
        self._names = set(configured)

    def label(self, model: str) -> str:
        return model if model in self._names else "other"

    async def list(self) -> Answer:
        answer = await self._backend.ask("GET", "/v1/models")
        self._learn(answer.document)
        return answer

    def _learn(self, document: dict[str, Any]) -> None:
        listed = document.get("data")
        for one in listed if isinstance(listed, list) else []:
            name = one.get("id") if isinstance(one, dict) else None
            if isinstance(name, str) and len(self._names) < 200:
                self._names.add(name)

    async def run(self) -> None:
        rest = 1
        while True:
            try:
                await self.list()
                rest = 300
            except ApiError as error:
                log.warning("the backend does not list its models", reason=error.message)
                rest = min(rest * 2, 60)
            await asyncio.sleep(rest)
