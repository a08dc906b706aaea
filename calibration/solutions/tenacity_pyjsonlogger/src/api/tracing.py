import asyncio
import json
import logging
import time
from pathlib import Path

import httpx

log = logging.getLogger("api.tracing")
SPILL = Path("data/undelivered-traces.jsonl")
SEND_SECONDS = 3.0
CLOSE_SECONDS = 4.0


class Tracer:
    """Logs generations as MLflow runs, in the background. What cannot be delivered goes to a file."""

    def __init__(self, url: str) -> None:
        self.client = httpx.AsyncClient(base_url=f"{url}/api/2.0/mlflow", timeout=2.0)
        self.queue: asyncio.Queue[dict] = asyncio.Queue()
        self.worker: asyncio.Task[None] | None = None

    def start(self) -> None:
        self.worker = asyncio.create_task(self._work())

    def record(self, **trace: object) -> None:
        self.queue.put_nowait({**trace, "ended": int(time.time() * 1000)})

    async def _work(self) -> None:
        while True:
            trace = await self.queue.get()
            delivered = False
            try:
                async with asyncio.timeout(SEND_SECONDS):
                    await self._send(trace)
                delivered = True
            except (httpx.HTTPError, TimeoutError, ValueError, KeyError) as e:
                log.warning("trace not delivered: %s", type(e).__name__)
            finally:
                if not delivered:
                    self._spill(trace)
                self.queue.task_done()

    async def _send(self, trace: dict) -> None:
        tags = [{"key": key, "value": str(value)[:5000]} for key, value in trace.items()]
        created = await self.client.post(
            "/runs/create", json={"experiment_id": "0", "start_time": trace["ended"], "run_name": "generate", "tags": tags}
        )
        created.raise_for_status()
        run_id = created.json()["run"]["info"]["run_id"]
        (await self.client.post(
            "/runs/update", json={"run_id": run_id, "status": "FINISHED", "end_time": trace["ended"]}
        )).raise_for_status()

    def _spill(self, trace: dict) -> None:
        SPILL.parent.mkdir(exist_ok=True)
        with SPILL.open("a") as file:
            file.write(json.dumps(trace) + "\n")

    async def close(self) -> None:
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await self.queue.join()
        except TimeoutError:
            log.warning("traces are still pending, keeping them in %s", SPILL)
        if self.worker:
            self.worker.cancel()
            await asyncio.wait([self.worker])
        while not self.queue.empty():
            self._spill(self.queue.get_nowait())
        await self.client.aclose()
