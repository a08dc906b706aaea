"""What a user can do with a stack: bring it up, take it down, look at it, log in to it."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from chaos.contract import Contract, Kind
from chaos.network import LOOPBACK_ADDRESS as HOST
from chaos.toxiproxy import Proxy
from grading.errors import GradingError, MachineError, SubmissionError, UsageError
from grading.stack import claim
from grading.stack.claim import Record
from grading.stack.files import StackFiles
from grading.stack.parts import PROBE_SECONDS, Part, faults, get, log_in, proxies
from grading.stack.ports import Ports, url
from grading.stack.supervisor import DRAIN_SECONDS, News, Order

SUPERVISOR = "grading.stack.supervisor"
DOWN_SECONDS = DRAIN_SECONDS + 15
POLL_SECONDS = 0.05
PROBES: dict[Kind, str] = {
    "model": "/health/liveliness",
    "qdrant": "/readyz",
    "mlflow": "/health",
    "tei": "/health",
}

_ERRORS: dict[str, type[GradingError]] = {
    "usage": UsageError,
    "submission": SubmissionError,
    "machine": MachineError,
}


def up(
    repository: str, contract: Contract, ports: Ports, files: StackFiles, on_progress: Callable[[str], None]
) -> subprocess.Popen[bytes]:
    """Start a stack of `repository` in the background, and return its supervisor when its service answers.

    Whoever outlives the stack has to wait for that process.

    Raises UsageError where one is up already, a port is taken or there is no such repository, SubmissionError where
    the service does not start, MachineError for what is neither's fault.
    """
    files.make()
    let_end(files)
    folder = Path(repository).expanduser()
    order = Order(
        repository=str(folder.resolve()) if folder.is_dir() else repository,
        folder=files.folder.resolve(),
        contract=contract,
        ports=ports,
    )
    with files.log("stack").open("ab") as log:
        supervisor = subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-m", SUPERVISOR, order.model_dump_json()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,
        )
    try:
        _follow(supervisor, on_progress)
    except BaseException:
        supervisor.terminate()
        supervisor.wait()
        raise
    return supervisor


def _follow(supervisor: subprocess.Popen[bytes], on_progress: Callable[[str], None]) -> None:
    """Pass on a supervisor's news until all is up."""
    assert supervisor.stdout
    with supervisor.stdout as lines:
        for line in lines:
            news = News.model_validate_json(line)
            if news.state == "up":
                return
            if news.state == "failed":
                raise _ERRORS[news.blame or "machine"](news.text, detail=news.detail)
            on_progress(news.text)
    raise MachineError("The stack ended before it was up; see `grading logs stack`.")


def down(files: StackFiles) -> str | None:
    """End the stack, its service as an orchestrator would; what became of the service, or None where none was up.

    Raises MachineError where it does not end.
    """
    record = claim.find(files.folder)
    if record is None:
        return None
    _signal(record, signal.SIGTERM)
    if not _ended(files, record, DOWN_SECONDS):
        _signal(record, signal.SIGKILL)
        if not _ended(files, record, PROBE_SECONDS):
            raise MachineError(f"The stack's supervisor (process {record.pid}) does not end.")
        files.forget()
        return "The stack did not end by itself, and was killed."
    return end_of_service(files.log("stack").read_text(encoding="utf-8", errors="replace"))


def end_of_service(log: str) -> str:
    """Return the line of a stack's log that says how its service ended; the fault proxy may write there later."""
    return next((line for line in reversed(log.splitlines()) if line.startswith("The service ")), "")


def let_end(files: StackFiles) -> None:
    """Wait until a stack whose service has ended is gone: who sees that end may start the next stack at once."""
    if record := claim.find(files.folder):
        _ended(files, record, _rest_seconds(files))


def _rest_seconds(files: StackFiles) -> float:
    """Return how long a stack may still be there: none if its service lives, little if it has no service (any more)."""
    try:
        os.kill(int(files.service_pid.read_text(encoding="utf-8")), 0)
    except ProcessLookupError:
        return DOWN_SECONDS
    except (OSError, ValueError):
        return PROBE_SECONDS
    return 0.0


def _signal(record: Record, number: signal.Signals) -> None:
    try:
        os.kill(record.pid, number)
    except ProcessLookupError:
        return


def _ended(files: StackFiles, record: Record, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while claim.find(files.folder) == record:
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True


def status(files: StackFiles) -> tuple[Record, list[Part]] | None:
    """The stack's parts, each asked whether it answers; None where no stack is up."""
    record = claim.find(files.folder)
    if record is None:
        return None
    found = proxies(url(record.ports.control))
    health = get(url(record.ports.service) + record.contract.endpoints["alive"])
    pid = files.service_pid.read_text(encoding="utf-8").strip() if files.service_pid.exists() else "?"
    parts = [
        Part("service", url(record.ports.service), health is not None, f"process {pid}"),
        Part("faults", url(record.ports.control), found is not None, "Toxiproxy's control API"),
    ]
    for name, (listen, upstream) in record.ports.upstreams.items():
        proxy = (found or {}).get(name)
        answered = _answers(record.contract.upstreams[name].kind, upstream)
        parts.append(Part(name, url(listen), answered and proxy is not None, _note(proxy)))
    return record, parts


def _answers(kind: Kind, port: int) -> bool:
    """Whether an upstream answers; one that speaks no HTTP, whether it takes connections."""
    if kind in PROBES:
        return get(url(port) + PROBES[kind]) is not None
    try:
        with socket.create_connection((HOST, port), timeout=PROBE_SECONDS):
            return True
    except OSError:
        return False


def _note(proxy: Proxy | None) -> str:
    return "no proxy of this name" if proxy is None else ", ".join(["stand-in", *faults(proxy)])


def token(files: StackFiles) -> str:
    """Log in to the stack's service as its first user and return the token; raises UsageError where that does not work."""
    record, password = claim.find(files.folder), files.password()
    if record is None or password is None:
        raise UsageError("No stack is up; start one with `grading up`.")
    return log_in(url(record.ports.service), record.contract, password)
