"""Start and stop of the application."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TypedDict

import structlog
from fastapi import FastAPI

from api.config.settings import Settings
from api.config.signals import hear_signals
from api.services.drain import Drain
from api.services.wiring import Services, open_services

log = structlog.get_logger("api.lifespan")


class State(TypedDict):
    """What every request finds in `request.state`."""

    services: Services


def make_lifespan(
    settings: Settings, drain: Drain
) -> Callable[[FastAPI], AbstractAsyncContextManager[State]]:
    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[State]:
        with hear_signals(drain):
            async with open_services(settings) as services:
                log.info("service started", environment=settings.environment)
                yield State(services=services)
                log.info("shutdown: requests drained, closing connections and delivering traces")
        log.info("shutdown: complete")

    return lifespan
