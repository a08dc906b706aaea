import asyncio
import logging
import time

import httpx

log = logging.getLogger("api.tracing")
SEND_SECONDS = 3.0
CLOSE_SECONDS = 4.0


class Tracer:
    """Logs generations as MLflow runs, in the background."""

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
            try:
                async with asyncio.timeout(SEND_SECONDS):
                    await self._send(trace)
            except (httpx.HTTPError, TimeoutError, ValueError, KeyError) as e:
                log.warning("trace not delivered: %s", type(e).__name__)
            finally:
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

    async def close(self) -> None:
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await self.queue.join()
        except TimeoutError:
            log.warning("%d traces are lost", self.queue.qsize())
        if self.worker:
            self.worker.cancel()
            await asyncio.wait([self.worker])
        await self.client.aclose()
