import asyncio
import json
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from chaos.containers.container import Confines, Container, Plan
from chaos.containers.engine import Engine
from chaos.history import Exited, Log, Signalled
from chaos.output import LINE_BYTES, TOO_MUCH_OUTPUT
from chaos.recorder import Recorder
from tests.docker import docker

from .conftest import LABELLED, LABELS, NOBODY, Run

pytestmark = pytest.mark.slow
PATIENCE = 60.0


async def ended(container: Container) -> Exited:
    found = await container.wait_exit(PATIENCE)
    assert found
    return found


async def lines(container: Container, recorder: Recorder) -> list[str]:
    """What a container has printed, once it has ended and is closed."""
    await ended(container)
    await container.close()
    return [event.text for event in recorder.history().of(Log)]


async def test_output_and_end_are_recorded_when_the_engine_saw_them(run: Run, recorder: Recorder) -> None:
    program = (
        "import signal, sys\n"
        "signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})\nprint('ready')\n"
        "signal.sigwait({signal.SIGTERM}); print('one'); print('two', file=sys.stderr); sys.exit(3)"
    )
    container = await run(program)
    await until_printed(container, recorder, "ready")
    [(key, value)] = LABELS.items()

    # These block the loop: what the engine saw meanwhile is only read afterwards.
    identity = docker("ps", "--quiet", "--filter", f"label={key}={value}").stdout.strip()
    told = recorder.now()
    docker("kill", "--signal", "TERM", identity)
    docker("wait", identity)
    seen = recorder.now()
    exited = await ended(container)
    await container.close()

    ready, *printed = recorder.history().of(Log)
    assert {(event.text, event.stream) for event in printed} == {("one", "stdout"), ("two", "stderr")}
    assert (exited.code, exited.cause) == (3, None)
    assert ready.t < told
    assert all(told < event.t < seen for event in (*printed, exited))


async def test_a_signal_reaches_the_program_itself(run: Run, recorder: Recorder) -> None:
    program = (
        "import signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))\nprint('ready')\ntime.sleep(60)"
    )
    container = await run(program)
    await until_printed(container, recorder, "ready")

    container.signal("TERM")

    assert (await ended(container)).code == 7
    assert [event.signal for event in recorder.history().of(Signalled)] == ["SIGTERM"]


async def test_a_program_that_handles_no_signal_dies_of_it(run: Run, recorder: Recorder) -> None:
    container = await run("import time; print('ready'); time.sleep(60)")
    await until_printed(container, recorder, "ready")

    container.signal("TERM")

    assert (await ended(container)).code == 128 + signal.SIGTERM


async def test_a_long_line_is_one_line(run: Run, recorder: Recorder) -> None:
    printed = await lines(await run(f"print('a' * {3 * LINE_BYTES}); print('b')"), recorder)

    assert printed == ["a" * LINE_BYTES, "b"]


async def test_a_flood_of_output_is_stopped(run: Run) -> None:
    container = await run("while True: print('x' * 10000)")

    assert (await ended(container)).cause == TOO_MUCH_OUTPUT


async def test_a_program_that_is_not_there_exits_with_127_and_says_so(
    engine: Engine, python_image: str, recorder: Recorder, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("folder")
    plan = Plan(
        python_image, ["no-such-program"], {}, folder, "/srv/exam", "/srv/exam", NOBODY, "none", LABELS
    )

    async with await Container.start(engine, plan, recorder=recorder) as container:
        exited = await ended(container)

    assert exited.code == 127
    assert any("no-such-program" in event.text for event in recorder.history().of(Log))


async def test_closing_kills_and_removes(run: Run, recorder: Recorder, engine: Engine) -> None:
    container = await run("import time; print('ready'); time.sleep(60)")
    await until_printed(container, recorder, "ready")

    await container.close()

    [exited] = recorder.history().of(Exited)
    assert exited.cause == "killed by the lab"
    assert await engine.call("GET", "/containers/json", all="true", filters=LABELLED) == []


async def test_workers_that_share_a_port_are_counted(run: Run, recorder: Recorder) -> None:
    program = (
        "import os, socket, time\n"
        "listener = socket.create_server(('0.0.0.0', 8000))\n"
        "for _ in range(3):\n    os.fork() or time.sleep(60)\n"
        "print('ready')\ntime.sleep(60)"
    )
    container = await run(program)
    await until_printed(container, recorder, "ready")

    assert await container.count_listeners(8000) == 3
    assert await container.count_listeners(8001) == 1


class FloodingEngine(Engine):
    """An engine in whose containers python3 prints digits without end; it counts the pieces."""

    pieces = 0

    async def call(self, method: str, path: str, *_: object, **parameters: object) -> Any:
        return {"Id": "1"}

    @asynccontextmanager
    async def frames(
        self, method: str, path: str, *_: object, **parameters: object
    ) -> AsyncIterator[AsyncIterator[tuple[int, bytes]]]:
        yield self._flood()

    async def _flood(self) -> AsyncIterator[tuple[int, bytes]]:
        while True:
            self.pieces += 1
            yield 1, b"1" * 100
            await asyncio.sleep(0)


async def test_a_count_without_end_is_none(recorder: Recorder) -> None:
    async with FloodingEngine() as engine:
        assert await Container(engine, "1", recorder, "service").count_listeners(8000) == 1

    assert engine.pieces < 20


async def test_nothing_is_allowed_that_need_not_be(run: Run, recorder: Recorder) -> None:
    program = """
import json, os, pathlib
status = dict(line.split(":", 1) for line in pathlib.Path("/proc/self/status").read_text().splitlines())
def writable(path):
    try:
        pathlib.Path(path, "written").write_text("x")
    except OSError:
        return False
    return True
print(json.dumps({
    "user": os.getuid(),
    "capabilities": [status[name].strip() for name in ("CapEff", "CapPrm", "CapBnd", "CapInh")],
    "no new privileges": status["NoNewPrivs"].strip(),
    "seccomp": status["Seccomp"].strip(),
    "writable": [path for path in ("/", "/etc", "/usr", "/var", "/tmp", "/srv/exam") if writable(path)],
    "docker": [path for path in ("/var/run/docker.sock", "/run/docker.sock") if os.path.exists(path)],
}))
"""
    [line] = await lines(await run(program), recorder)

    assert json.loads(line) == {
        "user": 65532,
        "capabilities": ["0000000000000000"] * 4,
        "no new privileges": "1",
        "seccomp": "2",
        "writable": ["/tmp", "/srv/exam"],
        "docker": [],
    }


async def test_forks_are_bounded(run: Run, recorder: Recorder) -> None:
    program = """
import os, time
count = 0
try:
    while True:
        if not os.fork():
            time.sleep(60)
        count += 1
except OSError:
    print(count)
"""
    container = await run(program, confines=Confines(tasks=20))

    await until_printed(container, recorder, "")

    [line] = recorder.history().of(Log)
    assert 10 <= int(line.text) < 20


async def test_memory_is_bounded(run: Run) -> None:
    container = await run("x = bytearray(300 * 2**20); print(len(x))", confines=Confines(memory=100 * 2**20))

    assert (await ended(container)).cause == "used more memory than it may"


async def until_printed(container: Container, recorder: Recorder, text: str) -> None:
    """Return once a container has printed a line with `text`."""
    for _ in range(int(PATIENCE / 0.05)):
        if any(text in event.text for event in recorder.history().of(Log)):
            return
        assert container.running
        await container.wait_exit(0.05)
    raise AssertionError(f"{text!r} was not printed")
