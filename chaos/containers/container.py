"""A service in a container of the engine's: confined, watched, signalled, and never left behind."""

import asyncio
import contextlib
import inspect
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from time import time
from typing import Any, Final, Self

from chaos import listeners
from chaos.containers.engine import CALL_SECONDS, Engine, EngineError
from chaos.history import SERVICE, Exited, Launched
from chaos.output import Stream
from chaos.recorder import Recorder
from chaos.service import Service, Signal

CANNOT_START: Final = 127
NO_NAME_SERVER: Final = "192.0.2.1"
"""From a range for documentation (RFC 5737): the engine's own name server would ask the host's for any name."""
_STREAMS: Final[Mapping[int, Stream]] = {1: "stdout", 2: "stderr"}
_LATE_SECONDS: Final = 5.0
_NUMBER_BYTES: Final = 1024
_LOGS: Final = {"Type": "json-file", "Config": {"max-size": "64m", "max-file": "1"}}


@dataclass(frozen=True, slots=True)
class Confines:
    """What a container and all in it may use together; memory, temporary files and files in bytes.

    `tasks` are processes and their threads, which the engine does not tell apart.
    """

    tasks: int = 1024
    memory: int = 4 * 2**30
    processors: float = 2.0
    temporary: int = 64 * 2**20
    file_size: int = 2**30


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run: `folder` of this machine is the container's `mount`, and all that it can write beside /tmp.

    `user` is the numeric user and group, `labels` mark the container as of a run.
    """

    image: str
    argv: Sequence[str]
    env: Mapping[str, str]
    folder: Path
    mount: str
    cwd: str
    user: str
    network: str
    labels: Mapping[str, str]
    confines: Confines = Confines()


class Container(Service):
    """A running container, as `chaos.service.Service` has it. Made by `start`.

    Output and end carry the engine's timestamps, put on the recorder's clock.
    """

    def __init__(self, engine: Engine, identity: str, recorder: Recorder, instance: str) -> None:
        super().__init__(recorder, instance)
        self.address = ""
        self._engine = engine
        self._id = identity
        self._tasks: list[asyncio.Task[None]] = []
        self._signals: set[asyncio.Task[None]] = set()

    @classmethod
    async def start(cls, engine: Engine, plan: Plan, *, recorder: Recorder, instance: str = SERVICE) -> Self:
        """Start a container; its events are recorded as `instance`'s. Raises EngineError.

        A program that the image does not have is not an error here: it exits with 127 and says why on stderr.
        """
        made = await engine.call("POST", "/containers/create", _specification(plan))
        self = cls(engine, made["Id"], recorder, instance)
        try:
            recorder.record(Launched(instance=instance, command=" ".join(plan.argv), cwd=plan.cwd))
            await self._start()
        except BaseException:
            await self._remove()
            raise
        return self

    def signal(self, name: Signal) -> None:
        """Have the engine send a signal to the program, if it still runs."""
        self._record_signal(name)
        task = asyncio.create_task(self._kill(name))
        self._signals.add(task)
        task.add_done_callback(self._signals.discard)

    async def count_listeners(self, port: int) -> int:
        """Return how many processes accept connections on a port; 1 where that cannot be seen."""
        command = ["python3", "-I", "-c", f"{inspect.getsource(listeners)}\nprint(count_workers({port}))"]
        try:
            body = {"Cmd": command, "AttachStdout": True, "WorkingDir": "/"}
            made = await self._engine.call("POST", f"/containers/{self._id}/exec", body)
            async with (
                asyncio.timeout(CALL_SECONDS),
                self._engine.frames("POST", f"/exec/{made['Id']}/start", {}) as frames,
            ):
                said = b""
                async for _, data in frames:  # by the image's own python3, which may be any program
                    said += data
                    if len(said) > _NUMBER_BYTES:
                        return 1
                return int(said)
        except (EngineError, ValueError, TimeoutError):
            return 1

    async def close(self) -> None:
        """Kill the container with all that is in it, read the rest of its output, and remove it."""
        if self.running:
            self._cause = self._cause or "killed by the lab"
            self._record_signal("KILL")
            await self._kill("KILL")
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=_LATE_SECONDS)
            for task in late:
                task.cancel()
        await asyncio.gather(*self._tasks, *self._signals, return_exceptions=True)
        await self._remove()

    async def _start(self) -> None:
        try:
            await self._engine.call("POST", f"/containers/{self._id}/start")
        except EngineError as error:
            if error.status not in {400, 404} and "exec" not in str(error):
                raise
            self._output.feed("stderr", f"{error}\n".encode())
            self._end(CANNOT_START, None)
            return
        found = await self._engine.call("GET", f"/containers/{self._id}/json")
        [network] = found["NetworkSettings"]["Networks"].values()
        self.address = network["IPAddress"]
        self._tasks = [asyncio.create_task(self._read_output()), asyncio.create_task(self._await_end())]

    async def _kill(self, name: Signal) -> None:
        with contextlib.suppress(EngineError):  # it has ended meanwhile
            await self._engine.call("POST", f"/containers/{self._id}/kill", signal=f"SIG{name}")

    async def _remove(self) -> None:
        with contextlib.suppress(EngineError):
            await self._engine.call("DELETE", f"/containers/{self._id}", force="true", v="true")

    async def _read_output(self) -> None:
        """Record what the engine has of the program's output, line by line as it says when."""
        path = f"/containers/{self._id}/logs"
        async with self._engine.frames(
            "GET", path, follow="true", stdout="true", stderr="true", timestamps="true"
        ) as frames:
            async for number, data in frames:
                stamp, _, text = data.partition(b" ")
                self._output.feed(_STREAMS[number], text, self._on_our_clock(stamp.decode()))
        for stream in _STREAMS.values():
            self._output.end(stream)

    async def _await_end(self) -> None:
        code = (await self._engine.call("POST", f"/containers/{self._id}/wait", timeout=None))["StatusCode"]
        state = (await self._engine.call("GET", f"/containers/{self._id}/json"))["State"]
        if state["OOMKilled"]:
            self._cause = self._cause or "used more memory than it may"
        self._end(code, self._on_our_clock(state["FinishedAt"]))

    def _end(self, code: int, at: float | None) -> None:
        exited = Exited(instance=self._instance, code=code, cause=self._cause)
        self.exited.set_result(self._recorder.record(exited, at=at))

    def _on_our_clock(self, stamp: str) -> float:
        ago = time() - datetime.fromisoformat(stamp).timestamp()
        return self._recorder.now() - max(ago, 0.0)


def _specification(plan: Plan) -> Mapping[str, Any]:
    """Return what the engine is to make: nothing is writable that need not be, and nothing allowed that need not be."""
    confines = plan.confines
    return {
        "Image": plan.image,
        "Entrypoint": list(plan.argv[:1]),
        "Cmd": list(plan.argv[1:]),
        "Env": [f"{name}={value}" for name, value in plan.env.items()],
        "WorkingDir": plan.cwd,
        "User": plan.user,
        "Labels": dict(plan.labels),
        "Healthcheck": {"Test": ["NONE"]},
        "HostConfig": {
            "NetworkMode": plan.network,
            "Binds": [f"{plan.folder}:{plan.mount}"],
            "Tmpfs": {"/tmp": f"rw,nosuid,nodev,noexec,size={confines.temporary}"},  # noqa: S108 - the container's own
            "Init": True,
            "ReadonlyRootfs": True,
            "CapDrop": ["ALL"],
            "SecurityOpt": ["no-new-privileges"],
            "PidsLimit": confines.tasks,
            "Memory": confines.memory,
            "MemorySwap": confines.memory,
            "NanoCpus": int(min(confines.processors, os.cpu_count() or 1) * 1e9),
            "Ulimits": [
                {"Name": "fsize", "Soft": confines.file_size, "Hard": confines.file_size},
                {"Name": "core", "Soft": 0, "Hard": 0},
            ],
            "Dns": [NO_NAME_SERVER],
            "LogConfig": _LOGS,
        },
    }
