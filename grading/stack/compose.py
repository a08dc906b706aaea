"""The teaching stack in containers: brought up where there is Docker, and found by the labels of its containers.

Docker itself is the record of what is up, so a stack that was started by `docker compose up` is found as well.
"""

import os
import re
import secrets
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from chaos.contract import Contract
from grading.errors import MachineError, UsageError
from grading.stack.files import LogName
from grading.stack.parts import Part, faults, log_in, proxies
from grading.stack.ports import CONTROL_PORT, url
from lab.env_file import variables

FILE = "docker-compose.yml"
LABEL = "llm-exam.control"
"""On the fault proxy's container: the port of its control API on the host. Only the teaching stack has it."""
SERVICE_LABEL = "llm-exam.service"
LOGS: dict[LogName, tuple[str, ...]] = {
    "service": ("api",),
    "calls": ("litellm", "provider", "qdrant", "mlflow"),
    "stack": ("toxiproxy", "secrets"),
}
DOCKER_SECONDS = 30.0
_REQUIRED = re.compile(r"\$\{(\w+):\?")


@dataclass(frozen=True, slots=True)
class ComposeStack:
    """A stack that has containers, running or not."""

    folder: Path
    project: str
    service: int
    running: bool


def usable(folder: Path) -> bool:
    """Whether `folder` holds the teaching stack, and there is an engine to run it."""
    try:
        text = (folder / FILE).read_text(encoding="utf-8")
    except OSError:
        return False
    return LABEL in text and _docker("info") is not None and _docker("compose", "version") is not None


def find(control: int = CONTROL_PORT) -> ComposeStack | None:
    """The stack whose faults are controlled at this port; None where there is none."""
    labels = ("com.docker.compose.project.working_dir", "com.docker.compose.project", SERVICE_LABEL)
    row = "\t".join([*(f'{{{{.Label "{label}"}}}}' for label in labels), "{{.State}}"])
    listed = _docker("ps", "--all", "--filter", f"label={LABEL}={control}", "--format", row)
    found = [line.split("\t") for line in (listed or "").splitlines()]
    stacks = [
        ComposeStack(Path(folder), project, int(service), state == "running")
        for folder, project, service, state in found
    ]
    return max(stacks, key=lambda stack: stack.running, default=None)


def up(folder: Path, port: int | None, contract: Contract) -> str | None:
    """Build the images, start the containers, and wait until all are healthy; docker's own progress is on stderr.

    Returns a sentence where the stack had to be given a key. Raises MachineError where it does not come up.
    """
    said = _give_key(folder / ".env", _key_variable(contract))
    environment = {**os.environ, **({"API_PORT": str(port)} if port else {})}
    try:
        ended = subprocess.run(
            ["docker", "compose", "up", "--build", "--detach", "--wait"],  # noqa: S607 - whichever docker is the user's
            cwd=folder,
            env=environment,
            stdout=2,
            check=False,
        )
    except KeyboardInterrupt:
        _docker("compose", "stop", folder=folder, seconds=None)
        raise
    if ended.returncode:
        raise MachineError(
            "The compose stack did not come up; docker says why above, and `docker compose logs` more."
            " If images cannot be pulled here, see `make images`, or use `grading up --local`."
        )
    return said


def _key_variable(contract: Contract) -> str:
    """Return the variable of the one secret that nobody logs in with: the key of tokens."""
    passwords = {user.password for user in contract.users.values()}
    return next(one.variable for name, one in contract.secrets.items() if name not in passwords)


def _tell_password(contract: Contract) -> str:
    """Return a command that prints, in the service's container, the password of the contract's first user."""
    variable = contract.secrets[next(iter(contract.users.values())).password].variable
    return f'echo "${{{variable}:-$(cat /run/secrets/{variable.lower()})}}"'


def _give_key(env_file: Path, key: str) -> str | None:
    """Put a key into `.env` where neither that nor the environment has one."""
    text = env_file.read_text(encoding="utf-8") if env_file.exists() else ""
    if os.environ.get(key) or any(one.name == key and one.active and one.value for one in variables(text)):
        return None
    descriptor = os.open(env_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(f"{'' if text.endswith(chr(10)) or not text else chr(10)}{key}={secrets.token_hex(32)}\n")
    return f"A new {key} has been put into {env_file}."


def down(stack: ComposeStack) -> str:
    """Stop the containers, the service first; how it ended. They and their logs stay until `docker compose down`.

    Raises MachineError where they do not stop.
    """
    if _compose(stack, "stop", seconds=None) is None:
        raise MachineError("The containers did not stop; see `docker compose ps`.")
    [service] = _containers(stack, "api", "{{.ID}}") or [""]
    code = _docker("inspect", "--format", "{{.State.ExitCode}}", service)
    return (
        f"The service exited with code {(code or '?').strip()}. `docker compose down` in {stack.folder} removes the"
        " containers, and with --volumes what they have stored."
    )


def status(stack: ComposeStack, control: int = CONTROL_PORT) -> list[Part]:
    """The stack's parts, by Docker's health checks and the fault proxy's word."""
    row = '{{.Label "com.docker.compose.service"}}\t{{.State}}\t{{.Status}}'
    rows = [line.split("\t") for line in _containers(stack, None, row)]
    states = {name: (state == "running" and "(healthy)" in status, status) for name, state, status in rows}
    addresses = {"api": url(stack.service), "toxiproxy": url(control)}
    wrong = {name: faults(proxy) for name, proxy in (proxies(url(control)) or {}).items()}
    return [
        Part(name, addresses.get(name, "in the stack"), healthy, ", ".join([status, *wrong.get(name, [])]))
        for name, (healthy, status) in sorted(states.items())
        if name != "secrets"
    ]


def token(stack: ComposeStack, contract: Contract) -> str:
    """Log in as the contract's first user and return the token; raises UsageError where that does not work."""
    password = _compose(stack, "exec", "-T", "api", "sh", "-c", _tell_password(contract))
    if password is None:
        raise UsageError("The service's container does not run; see `grading status`.")
    return log_in(url(stack.service), contract, password.strip())


def logs(stack: ComposeStack, name: LogName, *, follow: bool) -> int:
    """Have docker print a log of the stack's; the service's lines as it wrote them. Returns docker's exit code."""
    options = [*(["--follow"] if follow else []), *(["--no-log-prefix"] if name == "service" else [])]
    command = ["docker", *_options(stack), "logs", "--no-color", *options, *LOGS[name]]
    return subprocess.run(command, cwd=stack.folder, env=_environment(stack.folder), check=False).returncode  # noqa: S603


def _containers(stack: ComposeStack, service: str | None, row: str) -> list[str]:
    filters = [f"label=com.docker.compose.project={stack.project}"]
    filters += [f"label=com.docker.compose.service={service}"] if service else []
    words = [word for one in filters for word in ("--filter", one)]
    return (_docker("ps", "--all", *words, "--format", row) or "").splitlines()


def _compose(stack: ComposeStack, *words: str, seconds: float | None = DOCKER_SECONDS) -> str | None:
    return _docker(*_options(stack), *words, folder=stack.folder, seconds=seconds)


def _options(stack: ComposeStack) -> Sequence[str]:
    return ("compose", "--project-name", stack.project)


def _docker(*words: str, folder: Path | None = None, seconds: float | None = DOCKER_SECONDS) -> str | None:
    """What docker prints; None where it fails, does not answer in time, or is not there."""
    if shutil.which("docker") is None:
        return None
    try:
        ended = subprocess.run(  # noqa: S603 - docker, with words of our own
            ["docker", *words],  # noqa: S607 - whichever is the user's
            cwd=folder,
            env=_environment(folder),
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return None
    return ended.stdout if ended.returncode == 0 else None


def _environment(folder: Path | None) -> dict[str, str]:
    # Compose wants every variable of its file, also to stop what runs.
    text = (folder / FILE).read_text(encoding="utf-8") if folder and (folder / FILE).is_file() else ""
    return {**dict.fromkeys(_REQUIRED.findall(text), "-"), **os.environ}
