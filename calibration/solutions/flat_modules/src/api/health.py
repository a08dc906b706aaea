import asyncio
import time

import httpx

import config
import logs

log = logs.get("health")
URLS = {
    "qdrant": config.QDRANT_URL + "/healthz",
    "litellm": config.LITELLM_URL + "/health/liveliness",
    "mlflow": config.MLFLOW_TRACKING_URI + "/health",
}
TTL = 10
_lock = asyncio.Lock()
_last = (0.0, {})


async def _is_up(url):
    try:
        async with asyncio.timeout(5), httpx.AsyncClient(timeout=5) as client:
            return (await client.get(url)).status_code == 200
    except (TimeoutError, httpx.HTTPError):
        return False


async def report():
    global _last
    async with _lock:
        if time.monotonic() > _last[0] + TTL or not _last[1]:
            results = await asyncio.gather(*(_is_up(url) for url in URLS.values()))
            _last = (time.monotonic(), dict(zip(URLS, results)))
    return _last[1]
