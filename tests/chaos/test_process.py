import asyncio
import os
import signal
import sys
import textwrap
import time
from pathlib import Path

import pytest

from chaos import process as process_module
from chaos.history import Cleared, Exited, Log, Signalled
from chaos.process import Limits, Process
from chaos.recorder import Recorder
from chaos.warden import LEASED

pytestmark = pytest.mark.medium

ENV = {"PATH": os.environ["PATH"]}


async def start(
    *argv: str,
    recorder: Recorder | None = None,
    limits: Limits | None = None,
    env: dict[str, str] | None = None,
) -> Process:
    return await Process.start(
        argv, cwd=Path("/"), env=ENV if env is None else env, recorder=recorder or Recorder(), limits=limits
    )


async def start_python(code: str, recorder: Recorder, limits: Limits | None = None) -> Process:
    return await start(sys.executable, "-c", code, recorder=recorder, limits=limits)


def lines(recorder: Recorder, stream: str | None = None) -> list[str]:
    return [event.text for event in recorder.history().of(Log) if stream in {None, event.stream}]


def is_running(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


async def gone(pid: int, seconds: float = 10) -> bool:
    deadline = time.monotonic() + seconds
    while is_running(pid) and time.monotonic() < deadline:
        await asyncio.sleep(0.02)
    return not is_running(pid)


async def first_line(recorder: Recorder, seconds: float = 20) -> str:
    async with asyncio.timeout(seconds):
        while not lines(recorder):
            await asyncio.sleep(0.01)
    return lines(recorder)[0]


async def test_output_is_recorded_line_by_line_and_the_exit_code_after_it() -> None:
    recorder = Recorder()
    async with await start(
        "sh", "-c", "echo one; echo two >&2; printf three; exit 3", recorder=recorder
    ) as process:
        exited = await process.wait_exit(20)

    assert exited
    assert (exited.code, exited.cause) == (3, None)
    assert lines(recorder, "stdout") == ["one", "three"]
    assert lines(recorder, "stderr") == ["two"]


async def test_the_environment_is_what_was_given_and_no_more() -> None:
    recorder = Recorder()
    async with await start("env", recorder=recorder, env={**ENV, "JWT_SECRET_KEY": "k"}) as process:
        await process.wait_exit(20)

    names = {line.split("=")[0] for line in lines(recorder)}
    assert names == {"PATH", "JWT_SECRET_KEY"}


# Adds a key to a session keyring, and says how to look for it, by the numbers of the system calls.
KEYRING = """
import ctypes, os, sys
ADD, CONTROL, SESSION, JOIN, SEARCH = *{"x86_64": (248, 250), "aarch64": (217, 219)}[os.uname().machine], -3, 1, 10
call = ctypes.CDLL(None, use_errno=True).syscall
call(ctypes.c_long(CONTROL), JOIN, None)
if call(ctypes.c_long(ADD), b"user", b"canary", b"secret", 6, SESSION) < 0:
    sys.exit("no keyrings here")
look = f"import ctypes; print(ctypes.CDLL(None).syscall(ctypes.c_long({CONTROL}), {SEARCH}, {SESSION}, b'user', b'canary', 0) > 0)"
"""


@pytest.mark.skipif(sys.platform != "linux", reason="there are keyrings on Linux alone")
async def test_a_program_has_none_of_the_asker_s_keys() -> None:
    asker = """
import asyncio
from pathlib import Path
from chaos.history import Log
from chaos.process import Process
from chaos.recorder import Recorder

async def main():
    recorder = Recorder()
    async with await Process.start([sys.executable, "-c", look], cwd=Path("/"), env={}, recorder=recorder) as process:
        await process.wait_exit(20)
    print(*(event.text for event in recorder.history().of(Log)))

asyncio.run(main())
"""
    done = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", KEYRING + "os.system(f'{sys.executable} -c \"{look}\"')" + asker),
        cwd=Path(__file__).parents[2],
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await done.communicate()
    if b"no keyrings" in errors:
        pytest.skip("this machine allows no keyrings")
    assert output.split() == [b"True", b"False"]


async def test_a_program_that_cannot_be_executed_says_so_and_exits_127() -> None:
    recorder = Recorder()
    async with await start("no-such-program", recorder=recorder) as process:
        exited = await process.wait_exit(20)

    assert exited
    assert exited.code == 127
    assert lines(recorder) == ["cannot start no-such-program: No such file or directory"]


@pytest.mark.parametrize("name", ["TERM", "KILL"])
async def test_a_signal_reaches_the_program_and_is_recorded(name: str) -> None:
    recorder = Recorder()
    async with await start("sleep", "60", recorder=recorder) as process:
        process.signal(name)  # type: ignore[arg-type]
        exited = await process.wait_exit(20)

    assert exited
    assert exited.code == -signal.Signals[f"SIG{name}"]
    assert [event.signal for event in recorder.history().of(Signalled)] == [f"SIG{name}"]


async def test_waiting_for_an_exit_gives_up_and_leaves_the_program_alone() -> None:
    async with await start("sleep", "60") as process:
        assert await process.wait_exit(0.05) is None
        assert is_running(process.pid)


async def test_closing_kills_a_program_that_ignores_signals() -> None:
    recorder = Recorder()
    code = "import signal, time; signal.signal(15, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
    async with await start_python(code, recorder) as process:
        await first_line(recorder)
        process.signal("TERM")
        assert await process.wait_exit(0.2) is None

    assert process.exited.result().code == -signal.SIGKILL
    assert process.exited.result().cause == "killed by the lab"


async def test_closing_kills_a_daemon_that_left_group_and_session() -> None:
    recorder = Recorder()
    code = """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        print(os.getpid(), flush=True)
        time.sleep(60)
    os._exit(0)
"""
    async with await start_python(code, recorder) as process:
        daemon = int(await first_line(recorder))
        await process.wait_exit(20)
        assert is_running(daemon)

    assert await gone(daemon)


async def test_the_death_of_the_asking_process_ends_the_program() -> None:
    code = """
import asyncio, os, pathlib
from chaos.process import Process
from chaos.recorder import Recorder

async def main():
    process = await Process.start(["sleep", "60"], cwd=pathlib.Path("/"), env=dict(os.environ), recorder=Recorder())
    print(process.pid, flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""
    asker = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE)
    assert asker.stdout
    program = int(await asker.stdout.readline())
    assert is_running(program)

    asker.kill()
    await asker.wait()

    assert await gone(program)


async def test_a_program_that_prints_without_end_is_killed_and_its_output_capped() -> None:
    recorder = Recorder()
    async with await start("yes", recorder=recorder) as process:
        exited = await process.wait_exit(60)

    assert exited
    assert exited.cause
    assert exited.cause.startswith("printed more than")
    assert len(lines(recorder)) <= 50_000


async def test_a_program_that_uses_too_much_memory_is_killed() -> None:
    recorder = Recorder()
    limits = Limits(memory=200 * 2**20)
    async with await start_python(
        "x = b'x' * 400_000_000; import time; time.sleep(60)", recorder, limits=limits
    ) as process:
        exited = await process.wait_exit(30)

    assert exited
    assert exited.cause == "used more than 200 MiB of memory"


async def test_a_program_that_forks_without_end_is_killed() -> None:
    recorder = Recorder()
    code = "import os, time\nfor _ in range(40):\n    if os.fork() == 0: time.sleep(60)\ntime.sleep(60)"
    async with await start_python(code, recorder, limits=Limits(processes=20)) as process:
        exited = await process.wait_exit(30)

    assert exited
    assert exited.cause == "ran more than 20 processes"


LEASE = "fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_WRLCK)"
INHERITED_LEASE = f"child = os.fork()\nif not child:\n    {LEASE}\n    os._exit(0)\nos.waitpid(child, 0)"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has leases")
@pytest.mark.parametrize("lease", [LEASE, INHERITED_LEASE])
async def test_a_program_that_makes_others_wait_for_a_file_is_killed(lease: str, tmp_path: Path) -> None:
    file = tmp_path / "shared.py"
    file.touch()
    opening = f"import fcntl, os, time\ndescriptor = os.open({str(file)!r}, os.O_RDONLY)"
    async with await start_python(f"{opening}\n{lease}\ntime.sleep(60)", Recorder()) as process:
        exited = await process.wait_exit(20)

    assert exited
    assert exited.cause == LEASED


async def test_an_end_is_recorded_once() -> None:
    recorder = Recorder()
    async with await start("true", recorder=recorder) as process:
        await process.wait_exit(20)

    assert len(recorder.history().of(Exited)) == 1


def warden_of(process: Process) -> int:
    return int(Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[1])


async def test_what_is_left_running_is_named_and_ended() -> None:
    recorder = Recorder()
    code = """
        import os, sys
        if not os.fork():
            os.setsid()
            os.execv("/bin/sh", ["left-behind", "-c", "echo $$; while sleep 1; do :; done"])
    """
    async with await start_python(textwrap.dedent(code), recorder) as process:
        daemon = int(await first_line(recorder))
        assert await process.wait_exit(20)

    assert await gone(daemon)
    [cleared] = recorder.history().of(Cleared)
    assert [one for one in cleared.left if one.startswith("left-behind")]


async def test_a_service_that_is_ended_by_the_lab_has_left_nothing() -> None:
    recorder = Recorder()
    async with await start_python("import time; time.sleep(300)", recorder):
        pass

    [cleared] = recorder.history().of(Cleared)
    assert cleared.left == ()
    assert isinstance(recorder.history().events[-1], Cleared)


async def test_the_processor_time_of_all_that_ran_is_measured() -> None:
    recorder = Recorder()
    burn = "import time\nwhile time.process_time() < 0.4: pass"
    code = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {burn!r}])\n{burn}"
    async with await start_python(code, recorder) as process:
        assert await process.wait_exit(60)

    [cleared] = recorder.history().of(Cleared)
    assert 0.8 <= cleared.processor < 20


async def test_a_program_dies_with_its_warden() -> None:
    recorder = Recorder()
    async with await start_python("import time; print(1, flush=True); time.sleep(300)", recorder) as process:
        await first_line(recorder)
        os.kill(warden_of(process), signal.SIGKILL)
        exited = await process.wait_exit(20)

        assert exited
        assert exited.cause == process_module.LOST
        assert await gone(process.pid)


async def test_a_stopped_warden_keeps_nobody_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process_module, "CLOSE_SECONDS", 0.2)
    recorder = Recorder()
    async with await start_python("import time; print(1, flush=True); time.sleep(300)", recorder) as process:
        await first_line(recorder)
        warden = warden_of(process)
        os.kill(warden, signal.SIGSTOP)

    assert await gone(warden)
    assert await gone(process.pid)


async def test_a_warden_that_never_starts_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process_module, "START_SECONDS", 0.2)
    monkeypatch.setattr(process_module, "_BOOT", "import time; time.sleep(300)")

    with pytest.raises(OSError, match="did not start"):
        await start("true")


async def test_a_stopped_warden_still_answers_for_the_death_of_the_asking_process() -> None:
    code = f"""
        import asyncio, os, signal
        from pathlib import Path
        from chaos.process import Process
        from chaos.recorder import Recorder

        async def main():
            process = await Process.start(["sleep", "300"], cwd=Path("/"), env={ENV!r}, recorder=Recorder())
            warden = int(Path(f"/proc/{{process.pid}}/stat").read_text().rpartition(")")[2].split()[1])
            os.kill(warden, signal.SIGSTOP)
            print(process.pid, warden, flush=True)
            os.kill(os.getpid(), signal.SIGKILL)

        asyncio.run(main())
    """
    asking = await asyncio.create_subprocess_exec(
        sys.executable, "-c", textwrap.dedent(code), stdout=asyncio.subprocess.PIPE
    )
    assert asking.stdout
    pids = [int(pid) for pid in (await asking.stdout.readline()).split()]
    await asking.wait()

    assert len(pids) == 2
    assert [await gone(pid) for pid in pids] == [True, True]
