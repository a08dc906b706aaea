from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from api.config.settings import settings
from api.services.cache import cache


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    print(f"Starting LLM API ({settings.environment})")
    await cache.connect()
    yield
    await cache.close()
    print("Bye")
