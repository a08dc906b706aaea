import asyncio
import logging
import time
from pathlib import Path

import httpx
import msgspec

log = logging.getLogger("api.tracking")
LEFTOVERS = Path("traces/leftovers.ndjson")
EVERY_SECONDS = 1.0
TRY_SECONDS = 2.0


class Tracking:
    """Collects what was generated and hands it to MLflow once a second; what MLflow will not have goes to a file."""

    def __init__(self, url: str) -> None:
        self._http = httpx.AsyncClient(base_url=f"{url}/api/2.0/mlflow", timeout=TRY_SECONDS)
        self._waiting: list[dict] = []
        self._loop: asyncio.Task[None] | None = None
        self._stop = asyncio.Event()

    def add(self, run: dict) -> None:
        self._waiting.append({**run, "time_ms": int(time.time() * 1000)})

    def start(self) -> None:
        self._loop = asyncio.create_task(self._run())

    async def _run(self) -> None:
        while self._waiting or not self._stop.is_set():  # some are added while a batch is on its way
            try:
                await asyncio.wait_for(self._stop.wait(), EVERY_SECONDS)
            except TimeoutError:
                pass
            batch, self._waiting = self._waiting, []
            results = await asyncio.gather(*map(self._send, batch), return_exceptions=True)
            left = [run for run, result in zip(batch, results, strict=True) if isinstance(result, BaseException)]
            if left:
                LEFTOVERS.parent.mkdir(parents=True, exist_ok=True)
                with LEFTOVERS.open("ab") as file:
                    file.writelines(msgspec.json.encode(run) + b"\n" for run in left)
                log.warning("%d of %d runs were kept in %s", len(left), len(batch), LEFTOVERS)

    async def _send(self, run: dict) -> None:
        async with asyncio.timeout(TRY_SECONDS):
            begin = await self._http.post("/runs/create", json={"experiment_id": "0", "start_time": run["time_ms"]})
            begin.raise_for_status()
            run_id = begin.json()["run"]["info"]["run_id"]
            params = [{"key": key, "value": str(value)[:6000]} for key, value in run.items()]
            logged = await self._http.post("/runs/log-batch", json={"run_id": run_id, "params": params})
            logged.raise_for_status()

    async def close(self) -> None:
        self._stop.set()
        if self._loop:
            await self._loop
        await self._http.aclose()
