"""The upstreams, opened and closed by the lifespan."""

import logging
from dataclasses import dataclass

import aiohttp
from django.conf import settings

from llm.cache import Cache
from llm.errors import ApiError
from llm.health import HealthChecker
from llm.model import Model
from llm.tracing import Tracer

logger = logging.getLogger(__name__)


@dataclass
class Services:
    model: Model
    cache: Cache
    tracer: Tracer
    health: HealthChecker
    sessions: list[aiohttp.ClientSession]


_services: Services | None = None


def services() -> Services:
    assert _services is not None
    return _services


async def start() -> None:
    global _services
    llm = aiohttp.ClientSession(
        settings.LITELLM_URL,
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=4),
        connector=aiohttp.TCPConnector(limit=0),
    )
    qdrant = aiohttp.ClientSession(settings.QDRANT_URL, timeout=aiohttp.ClientTimeout(total=2))
    mlflow = aiohttp.ClientSession(settings.MLFLOW_TRACKING_URI, timeout=aiohttp.ClientTimeout(total=3))
    health = HealthChecker(
        {"qdrant": (qdrant, "/readyz"), "litellm": (llm, "/health/liveliness"), "mlflow": (mlflow, "/health")}
    )
    _services = Services(Model(llm), Cache(qdrant), Tracer(mlflow), health, [llm, qdrant, mlflow])
    _services.tracer.start()
    try:
        await _services.cache.create()
    except ApiError as e:
        logger.warning("Starting without a cache: %r", e.cause)


async def stop() -> None:
    logger.info("Shutting down: traces first, then connections")
    await services().tracer.stop()
    for session in services().sessions:
        await session.close()
    logger.info("Shut down, all connections are closed")
