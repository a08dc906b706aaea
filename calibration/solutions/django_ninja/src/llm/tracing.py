import asyncio
import json
import logging
import time
from typing import Any

import aiohttp
from django.conf import settings

from llm.model import Generation

logger = logging.getLogger(__name__)

FLUSH_TIMEOUT = 2


class Tracer:
    """One worker brings traces to MLflow. Those that MLflow does not take go to a file."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self.session = session
        self.queue: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.worker: asyncio.Task[None] | None = None

    def start(self) -> None:
        self.worker = asyncio.create_task(self._work())

    def record(self, user: str, prompt: str, generation: Generation, seconds: float) -> None:
        self.queue.put_nowait(
            {"user": user, "prompt": prompt, "seconds": seconds, "time": time.time(), **generation.model_dump()}
        )

    async def stop(self) -> None:
        assert self.worker is not None
        try:
            async with asyncio.timeout(FLUSH_TIMEOUT):
                await self.queue.join()
        except TimeoutError:
            logger.warning("MLflow is too slow, %d traces go to the file", self.queue.qsize())
        self.worker.cancel()
        await asyncio.gather(self.worker, return_exceptions=True)
        while not self.queue.empty():
            save(self.queue.get_nowait())

    async def _work(self) -> None:
        while True:
            trace = await self.queue.get()
            try:
                await self._send(trace)
            except asyncio.CancelledError:
                save(trace)
                raise
            except Exception as e:
                logger.info("MLflow did not take a trace: %s", type(e).__name__)
                save(trace)
            finally:
                self.queue.task_done()

    async def _send(self, trace: dict[str, Any]) -> None:
        began = int(trace["time"] * 1000)
        created = await self._post(
            "runs/create",
            experiment_id="0",
            start_time=began,
            run_name="generate",
            tags=[{"key": key, "value": str(trace[key])} for key in ("user", "prompt", "response", "model")],
        )
        run_id = created["run"]["info"]["run_id"]
        metrics = [
            {"key": key, "value": trace[key], "timestamp": began, "step": 0}
            for key in ("prompt_tokens", "completion_tokens", "total_tokens", "cost", "seconds")
        ]
        await self._post("runs/log-batch", run_id=run_id, metrics=metrics)
        await self._post("runs/update", run_id=run_id, status="FINISHED", end_time=int(time.time() * 1000))

    async def _post(self, path: str, **body: Any) -> dict[str, Any]:
        async with self.session.post(f"/api/2.0/mlflow/{path}", json=body, raise_for_status=True) as response:
            return await response.json()


def save(trace: dict[str, Any]) -> None:
    settings.TRACE_FILE.parent.mkdir(parents=True, exist_ok=True)
    with settings.TRACE_FILE.open("a") as file:
        file.write(json.dumps(trace) + "\n")
