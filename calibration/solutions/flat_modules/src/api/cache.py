import asyncio
import hashlib
import uuid

from qdrant_client import AsyncQdrantClient, models

import config
import logs

log = logs.get("cache")
NAME = "prompts"
client = AsyncQdrantClient(url=config.QDRANT_URL, timeout=2, check_compatibility=False)
stats = {"hits": 0, "misses": 0, "errors": 0}
_created = False


def _point_id(text):
    return str(uuid.UUID(hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()))


async def _ensure():
    global _created
    if not _created:
        if not await client.collection_exists(NAME):
            await client.create_collection(NAME, vectors_config=models.VectorParams(size=1, distance=models.Distance.DOT))
        _created = True


async def lookup(text):
    try:
        async with asyncio.timeout(1.5):
            await _ensure()
            points = await client.retrieve(NAME, ids=[_point_id(text)])
    except Exception as exc:
        stats["errors"] += 1
        log.info("cache unavailable", reason=type(exc).__name__)
        points = []
    stats["hits" if points else "misses"] += 1
    return points[0].payload if points else None


async def store(text, payload):
    try:
        async with asyncio.timeout(1.5):
            await client.upsert(NAME, points=[models.PointStruct(id=_point_id(text), vector=[0.0], payload=payload)])
    except Exception as exc:
        stats["errors"] += 1
        log.info("not cached", reason=type(exc).__name__)


async def clear():
    global _created
    await client.delete_collection(NAME)
    _created = False
