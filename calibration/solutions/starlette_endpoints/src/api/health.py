import asyncio

import aiohttp
from async_lru import alru_cache
from loguru import logger
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.endpoints import HTTPEndpoint
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from api.model import breaker
from api.settings import Settings

LIMIT = aiohttp.ClientTimeout(total=3)


class Readiness:
    def __init__(self, settings: Settings, session: aiohttp.ClientSession) -> None:
        self._session = session
        self._pages = {
            "vector_store": f"{settings.qdrant_url}/readyz",
            "llm_gateway": f"{settings.litellm_url}/v1/models",
            "tracking": f"{settings.mlflow_uri}/health",
        }

    @alru_cache(maxsize=1, ttl=6)
    async def report(self) -> tuple[tuple[str, str], ...]:
        words = await asyncio.gather(*(self._check(*item) for item in self._pages.items()))
        return tuple(zip(self._pages, words, strict=True))

    async def _check(self, name: str, page: str) -> str:
        if not page.startswith("http"):
            return "up"
        try:
            async with self._session.get(page, timeout=LIMIT, allow_redirects=False) as response:
                await response.read()
                status = response.status
        except (aiohttp.ClientError, TimeoutError, ValueError) as e:
            logger.warning("{} is down: {}", name, type(e).__name__)
            return "down"
        if status == 200:
            return "up"
        logger.warning("{} is down: {}", name, status)
        return "down"


class Alive(HTTPEndpoint):
    async def get(self, request: Request) -> Response:
        return PlainTextResponse("alive")


class Ready(HTTPEndpoint):
    async def get(self, request: Request) -> Response:
        report = await request.app.state.readiness.report()
        ready = all(word == "up" for _, word in report)
        body = {
            "ready": ready,
            "components": [{"name": name, "state": word} for name, word in report],
            "breaker": breaker.state.value,
        }
        return JSONResponse(body, 200 if ready else 503)


class Metrics(HTTPEndpoint):
    async def get(self, request: Request) -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
