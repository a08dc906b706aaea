"""Real stacks: processes, ports and signals. The service is a tiny one, so that a start takes a second or two."""

import contextlib
import os
import signal
import socket
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from grading.errors import SubmissionError, UsageError
from grading.stack import claim, control
from grading.stack.files import StackFiles
from grading.stack.ports import Ports, url
from tests.exam import CONTRACT
from tests.grading.stack.support import free_ports, submission, until

pytestmark = pytest.mark.slow


class Stack(StackFiles):
    """A stack's files, and the supervisors that were started for them."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.supervisors: list[subprocess.Popen[bytes]] = []


@pytest.fixture
def files(tmp_path: Path) -> Iterator[Stack]:
    made = Stack(tmp_path / "stack")
    yield made
    control.down(made)
    for supervisor in made.supervisors:
        supervisor.wait(20)


@pytest.fixture
def fork(tmp_path: Path) -> Path:
    return submission(tmp_path / "fork", "well")


def up(fork: Path, files: Stack) -> Ports:
    ports = free_ports()
    files.supervisors.append(control.up(str(fork), CONTRACT, ports, files, lambda _text: None))
    return ports


def ask(ports: Ports) -> httpx.Response:
    body = {"model": "groq-kimi-primary", "prompt": "Is anybody there?"}
    return httpx.post(f"{url(ports.service)}/llm/generate", json=body, trust_env=False)


def listening(ports: Ports) -> list[int]:
    found = []
    for port in (ports.service, ports.control, *(port for pair in ports.upstreams.values() for port in pair)):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            found.append(port)
    return found


def lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def service_pid(files: Stack) -> int:
    return int(files.service_pid.read_text())


def test_a_stack_serves_shows_itself_and_leaves_nothing(fork: Path, files: Stack) -> None:
    ports = up(fork, files)
    pid = service_pid(files)

    found = control.status(files)
    assert found
    record, parts = found
    assert record.repository == str(fork)
    assert {part.name for part in parts} == {"service", "faults", "litellm", "qdrant", "mlflow", "tei"}
    assert all(part.up for part in parts)
    assert control.token(files) == "token"
    assert ask(ports).status_code == 200
    assert "litellm call" in files.log("calls").read_text()

    said = control.down(files)

    assert said
    assert "was ended by SIGTERM" in said
    assert control.status(files) is None
    assert not lives(pid)
    assert listening(ports) == []
    assert control.down(files) is None


def test_the_end_of_a_service_is_told_whatever_the_fault_proxy_writes_after_it() -> None:
    told = "The service was ended by SIGTERM 0.2 s after it was told to stop."

    assert control.end_of_service(f'started\n{told}\n{{"level":"trace","name":"litellm"}}\n') == told
    assert not control.end_of_service("started\n")


def test_secrets_are_the_users_alone_and_gone_with_the_stack(fork: Path, files: Stack) -> None:
    up(fork, files)

    password = files.password()
    assert password
    assert len(password) >= 32
    kept = [path for path in files.folder.iterdir() if password in path.read_text()]
    assert [stat.S_IMODE(path.stat().st_mode) for path in kept] == [0o600]
    assert stat.S_IMODE(files.folder.stat().st_mode) == 0o700

    control.down(files)
    assert not any(password in path.read_text() for path in files.folder.iterdir())


def test_faults_of_the_control_api_reach_the_service_and_show(fork: Path, files: Stack) -> None:
    ports = up(fork, files)
    httpx.post(f"{url(ports.control)}/proxies/litellm", json={"enabled": False}, trust_env=False)
    httpx.post(f"{url(ports.control)}/proxies/mlflow/toxics", json={"type": "latency"}, trust_env=False)

    with pytest.raises(httpx.HTTPError):
        ask(ports)
    found = control.status(files)
    assert found
    notes = {part.name: part.note for part in found[1]}
    assert "cut off" in notes["litellm"]
    assert "latency_downstream" in notes["mlflow"]


def test_a_second_up_leaves_the_first_stack_alone(fork: Path, files: Stack) -> None:
    ports = up(fork, files)
    pid = service_pid(files)

    with pytest.raises(UsageError, match="already"):
        up(fork, files)

    assert service_pid(files) == pid
    assert ask(ports).status_code == 200


def test_a_taken_port_is_said_before_anything_starts(fork: Path, files: Stack) -> None:
    with socket.create_server(("127.0.0.1", free_ports().service)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=f"Port {port} is taken"):
            control.up(str(fork), CONTRACT, free_ports(service=port), files, lambda _text: None)

    assert claim.find(files.folder) is None


def test_a_folder_that_does_not_exist_is_wrong_use(tmp_path: Path, files: Stack) -> None:
    with pytest.raises(UsageError, match="There is no folder"):
        up(tmp_path / "nowhere", files)


def test_a_service_that_exits_at_start_is_told_with_its_last_lines(tmp_path: Path, files: Stack) -> None:
    ports = free_ports()

    with pytest.raises(SubmissionError, match="exited with code 1") as error:
        control.up(str(submission(tmp_path / "fork", "exit")), CONTRACT, ports, files, lambda _text: None)

    assert "JWT_SECRET_KEY is not to my liking" in error.value.detail
    until(lambda: listening(ports) == [])
    assert claim.find(files.folder) is None


def test_the_death_of_the_supervisor_leaves_nothing_and_the_next_stack_starts(
    fork: Path, files: Stack
) -> None:
    ports = up(fork, files)
    pid, record = service_pid(files), claim.find(files.folder)
    assert record

    os.kill(record.pid, signal.SIGKILL)

    until(lambda: not lives(pid) and listening(ports) == [])
    assert control.status(files) is None
    assert ask(up(fork, files)).status_code == 200


def test_a_service_that_ends_takes_its_stack_with_it(fork: Path, files: Stack) -> None:
    ports = up(fork, files)

    os.kill(service_pid(files), signal.SIGKILL)

    until(lambda: control.status(files) is None)
    assert "was ended by SIGKILL" in files.log("stack").read_text()
    until(lambda: listening(ports) == [])


def test_the_next_stack_may_be_started_as_soon_as_the_service_has_ended(fork: Path, files: Stack) -> None:
    up(fork, files)
    pid = service_pid(files)

    os.kill(pid, signal.SIGKILL)

    until(lambda: not lives(pid))
    assert ask(up(fork, files)).status_code == 200


def test_no_token_without_a_stack(files: Stack) -> None:
    with pytest.raises(UsageError, match="No stack is up"):
        control.token(files)
