"""Runs in MLflow. Called as a background task of a response, so nobody waits for it but the shutdown."""

import asyncio
import json
import pathlib
import time

import httpx

import config
import logs

log = logs.get("tracking")
client = httpx.AsyncClient(base_url=config.MLFLOW_TRACKING_URI + "/api/2.0/mlflow", timeout=2)
fallback = pathlib.Path(__file__).parent / "fallback" / "runs.jsonl"
_lock = asyncio.Lock()


async def track(run):
    run = run | {"timestamp": int(time.time() * 1000)}
    try:
        async with asyncio.timeout(2.5):
            response = await client.post("/runs/create", json={
                "experiment_id": "0",
                "start_time": run["timestamp"],
                "tags": [{"key": "mlflow.runName", "value": "generate"}]
                + [{"key": name, "value": str(value)} for name, value in run.items()],
            })
            response.raise_for_status()
    except BaseException as exc:
        await asyncio.shield(asyncio.to_thread(_keep, run))
        log.warning("MLflow unavailable, run kept in a file", reason=type(exc).__name__)
        if not isinstance(exc, Exception):
            raise


def _keep(run):
    fallback.parent.mkdir(exist_ok=True)
    with fallback.open("a") as file:
        file.write(json.dumps(run) + "\n")
