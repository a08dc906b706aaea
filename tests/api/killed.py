"""A service that is killed again and again while it answers, and what became of its usage."""

import asyncio
import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import httpx

from chaos.ports import free_port
from tests.api.support import PASSWORD

START_SECONDS = 60.0
DELIVER_SECONDS = 60.0
SOURCE = Path(__file__).parents[2] / "src"


@dataclass
class Killed:
    """`variables` are the service's environment. `answered` are the ids of the requests whose answers arrived."""

    variables: Mapping[str, str]
    port: int = field(default_factory=free_port)
    asked: set[str] = field(default_factory=set)
    answered: set[str] = field(default_factory=set)
    _process: asyncio.subprocess.Process | None = None
    _up: asyncio.Event = field(default_factory=asyncio.Event)
    _progress: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def run(self, *, answers: int, kills: int, callers: int = 8) -> None:
        """Ask until so many answers have arrived, with so many SIGKILLs spread over them.

        Then wait until its outbox is empty, and stop it kindly.
        """
        await self._start()
        try:
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.port}", timeout=30) as client:
                login = {"username": "admin", "password": PASSWORD}
                token = (await client.post("/auth/login", json=login)).json()["access_token"]
                client.headers["Authorization"] = f"Bearer {token}"
                numbers = count()
                asking = [asyncio.create_task(self._ask(client, numbers, answers)) for _ in range(callers)]
                for kill in range(1, kills + 1):
                    await self._wait_for_answers(answers * kill // (kills + 1))
                    await self._end(signal.SIGKILL)
                    await self._start()
                await asyncio.gather(*asking)
                await self._wait_until_delivered(client)
        finally:
            await self._end(signal.SIGTERM)

    async def _ask(self, client: httpx.AsyncClient, numbers: "count[int]", answers: int) -> None:
        while len(self.answered) < answers:
            await self._up.wait()
            request_id = f"request-{next(numbers)}"
            self.asked.add(request_id)
            question = {"model": "gpt-4o-secondary", "prompt": request_id}
            try:
                answer = await client.post(
                    "/llm/generate", json=question, headers={"X-Request-ID": request_id}
                )
            except httpx.TransportError:
                await asyncio.sleep(0)
                continue
            assert answer.status_code == 200, answer.text
            async with self._progress:
                self.answered.add(request_id)
                self._progress.notify_all()

    async def _wait_until_delivered(self, client: httpx.AsyncClient) -> None:
        async with asyncio.timeout(DELIVER_SECONDS):
            while True:
                metrics = (await client.get("/metrics")).text
                if "\ndatabase_up 1.0" in metrics and "\nusage_outbox_rows 0.0" in metrics:
                    return
                await asyncio.sleep(0.05)

    async def _wait_for_answers(self, number: int) -> None:
        async with self._progress:
            await self._progress.wait_for(lambda: len(self.answered) >= number)

    async def _start(self) -> None:
        command = ["uvicorn", "api.main:app", "--app-dir", str(SOURCE), "--port", str(self.port)]
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            *command,
            env={"PATH": os.defpath, **self.variables},
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        async with asyncio.timeout(START_SECONDS), httpx.AsyncClient() as client:
            while True:
                assert self._process.returncode is None, "the service ended at its start"
                try:
                    await client.get(f"http://127.0.0.1:{self.port}/health")
                except httpx.TransportError:
                    await asyncio.sleep(0.02)
                else:
                    break
        self._up.set()

    async def _end(self, how: signal.Signals) -> None:
        self._up.clear()
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(how)
            await self._process.wait()
