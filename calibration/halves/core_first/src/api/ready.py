import asyncio
import time

import httpx

from api.settings import LITELLM, MLFLOW, QDRANT

PROBES = {"qdrant": f"{QDRANT}/readyz", "litellm": f"{LITELLM}/health/liveliness", "mlflow": f"{MLFLOW}/health"}
KEEP = 10.0
_lock = asyncio.Lock()
_kept: dict[str, dict] = {}
_kept_at = 0.0


async def report() -> dict[str, dict]:
    global _kept, _kept_at
    async with _lock:
        if not _kept or time.monotonic() - _kept_at >= KEEP:
            async with httpx.AsyncClient() as client, asyncio.TaskGroup() as group:
                tasks = {name: group.create_task(probe(client, url)) for name, url in PROBES.items()}
            _kept = {name: {"state": "up" if task.result() else "down"} for name, task in tasks.items()}
            _kept_at = time.monotonic()
        return _kept


async def probe(client: httpx.AsyncClient, url: str) -> bool:
    try:
        async with asyncio.timeout(3):
            return (await client.get(url, timeout=3)).is_success
    except (httpx.HTTPError, TimeoutError):
        return False
