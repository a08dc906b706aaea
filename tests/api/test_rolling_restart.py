"""Restarting two instances in turn: no request is lost, and no stream cut."""

import asyncio
import json
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest

from tests.api.deployment import Backends, Instance, Paced, identify, run_backends, run_instance
from tests.api.load import Callers
from tests.connections import serving
from tests.rolling_restart import Balancer, choose_rate, restart_in_turn

pytestmark = [pytest.mark.slow, pytest.mark.long]

WORD_SECONDS = 0.4
"""A stream lasts longer than an instance is out of the rotation before it is told to stop."""
READY_SECONDS = 60.0


async def test_no_request_is_lost_while_two_instances_restart_in_turn(tmp_path: Path) -> None:
    async with run_backends() as backends, AsyncExitStack() as running:
        backends.model.default(Paced())
        instances: dict[int, tuple[Instance, Path]] = {}

        async def start(folder: Path) -> int:
            instance = await running.enter_async_context(run_instance(backends.variables, folder))
            await _become_ready(instance)
            instances[instance.port] = instance, folder
            return instance.port

        async def restart(port: int) -> int:
            instance, folder = instances.pop(port)
            assert await instance.stop() in {0, -15}
            return await start(folder)

        folders = [tmp_path / "one", tmp_path / "two"]
        for folder in folders:
            folder.mkdir()
        balancer = Balancer([await start(folder) for folder in folders])
        port = await running.enter_async_context(serving(balancer.serve))
        url = f"http://127.0.0.1:{port}"
        callers = Callers(url, await identify(url))
        async with callers.connected(reuse=False):
            rate = await choose_rate(callers)
            backends.model.default(Paced(WORD_SECONDS))
            await restart_in_turn(callers, balancer, restart, rate=rate)
        rows = await _usage(backends, [instance for instance, _ in instances.values()])

    assert [one for one in callers.asked if one.status != 200 or one.failed] == []
    assert rows == Counter(one.request_id for one in callers.asked)
    assert all(_drained(folder) for folder in folders), "each had requests to finish"


async def _become_ready(instance: Instance) -> None:
    await instance.wait_until_delivered()
    async with asyncio.timeout(READY_SECONDS), httpx.AsyncClient(trust_env=False) as client:
        while (await client.get(f"{instance.url}/health/detailed")).status_code != 200:
            await asyncio.sleep(0.2)


async def _usage(backends: Backends, instances: list[Instance]) -> Counter[str]:
    for instance in instances:
        await instance.wait_until_delivered()
    return await backends.counted()


def _drained(folder: Path) -> int:
    """How many requests an instance had in flight when it was first told to stop."""
    records = map(json.loads, (folder / "log.jsonl").read_text().splitlines())
    return next(int(record["in_flight"]) for record in records if record["message"] == "shutdown: draining")
