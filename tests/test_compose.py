"""The compose stack as a class meets it: brought up with nothing but a key of its own, used, broken, taken down.

It has a project name and ports of its own. The first run builds the images, which takes minutes.
"""

import asyncio
import json
import os
import random
import secrets
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from filelock import FileLock

from chaos.keys import Keys, expected_answer
from chaos.ports import free_port
from tests.api.load import Callers
from tests.connections import serving
from tests.docker import docker
from tests.grading.stack.support import free_ports, until
from tests.rolling_restart import Balancer, choose_rate, restart_in_turn

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent
PROJECT = "llm-exam-test"
"""Always the same: the images that are built have its name, and are the next run's cache."""
# What `make images` builds, used where it is there and nothing else is asked for.
LOCAL_IMAGES = {
    "QDRANT_IMAGE": "localhost/llm-exam/qdrant",
    "TOXIPROXY_IMAGE": "localhost/llm-exam/toxiproxy",
}
BUILD_SECONDS = 1800.0
UP_SECONDS = 600.0
DOWN_SECONDS = 120.0
TRACE_SECONDS = 60.0
READY_SECONDS = 120.0
LATENCY = 3.0

POST_JSON = """
import sys
from urllib.request import Request, urlopen
url, body = sys.argv[1:]
print(urlopen(Request(url, body.encode(), {"Content-Type": "application/json"}), timeout=10).read().decode())
"""


@dataclass
class Stack:
    """A stack that is up, and its user `admin`."""

    env_file: Path
    api: httpx.Client
    faults: httpx.Client
    keys: Keys

    def compose(self, *words: str, seconds: float = 60.0) -> subprocess.CompletedProcess[str]:
        return compose(self.env_file, *words, seconds=seconds)

    def ask(self) -> tuple[str, float]:
        """Ask the model something new: the prompt's key, and the seconds that the answer took."""
        key = next(self.keys)
        began = time.monotonic()
        answer = self.api.post(
            "/llm/generate", json={"model": "groq-kimi-primary", "prompt": f"What is {key}?"}
        )
        assert answer.status_code == 200, answer.text
        assert answer.json()["response"] == expected_answer(key)
        return key, time.monotonic() - began

    def post(self, service: str, url: str, body: dict[str, Any]) -> Any:
        """POST from inside of a container; its answer."""
        ended = self.compose("exec", "-T", service, "python", "-c", POST_JSON, url, json.dumps(body))
        assert ended.returncode == 0, ended.stderr
        return json.loads(ended.stdout)

    def traced_prompts(self) -> str:
        """What the prompts of MLflow's newest traces look like."""
        place = {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": "0"}}
        found = self.post(
            "mlflow",
            "http://127.0.0.1:5000/api/3.0/mlflow/traces/search",
            {"locations": [place], "max_results": 100},
        )
        return " ".join(trace["request_preview"] for trace in found.get("traces", []))

    def cached_answers(self) -> int:
        counted = self.post("api", "http://qdrant:6333/collections/llm_cache/points/count", {"exact": True})
        return int(counted["result"]["count"])


def compose(env_file: Path, *words: str, seconds: float) -> subprocess.CompletedProcess[str]:
    # Of the environment only what docker needs: the rest is what a user would have put into .env.
    kept = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME"} or "DOCKER" in name}
    options = ("--project-name", PROJECT, "--env-file", str(env_file))
    return docker("compose", *options, *words, folder=ROOT, env=kept, seconds=seconds)


def images() -> dict[str, str]:
    """The images that are not the public ones."""
    names = ("PYTHON_IMAGE", *LOCAL_IMAGES)
    found = {name: os.environ[name] for name in names if name in os.environ}
    for name, image in LOCAL_IMAGES.items():
        if name not in found and docker("image", "inspect", image).returncode == 0:
            found[name] = image
    return found


@pytest.fixture(scope="module")
def stack(docker_compose: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with FileLock(Path(tempfile.gettempdir()) / f"{PROJECT}.lock"):  # another checkout may be tested here
        yield from _stack(tmp_path_factory.mktemp("compose") / "env")


def _stack(env_file: Path) -> Iterator[Stack]:
    chosen = images()
    ports = free_ports()
    variables = {
        "JWT_SECRET_KEY": secrets.token_hex(32),
        "API_PORT": str(ports.service),
        "TOXIPROXY_PORT": str(ports.control),
        "PROVIDER_PORT": str(ports.upstreams["litellm"][1]),
        **chosen,
    }
    env_file.write_text("".join(f"{name}={value}\n" for name, value in variables.items()))
    missing = [name.removesuffix("_IMAGE").lower() for name in LOCAL_IMAGES if name not in chosen]
    if missing and compose(env_file, "pull", *missing, seconds=BUILD_SECONDS).returncode:
        pytest.skip("images cannot be pulled here; build them with `make images`")
    try:
        built = compose(env_file, "build", seconds=BUILD_SECONDS)
        assert built.returncode == 0, built.stderr
        up = compose(env_file, "up", "-d", "--wait", seconds=UP_SECONDS)
        assert up.returncode == 0, up.stdout + up.stderr + compose(env_file, "logs", seconds=60.0).stdout
        api = httpx.Client(base_url=f"http://127.0.0.1:{ports.service}", timeout=40.0, trust_env=False)
        faults = httpx.Client(base_url=f"http://127.0.0.1:{ports.control}", trust_env=False)
        with api, faults:
            running = Stack(env_file, api, faults, Keys(random.SystemRandom().randrange(2**32), "compose"))
            api.headers["Authorization"] = f"Bearer {_token(running)}"
            yield running
    finally:
        down = compose(env_file, "down", "--volumes", "--remove-orphans", seconds=DOWN_SECONDS)
    assert down.returncode == 0, down.stderr
    left = docker("ps", "--all", "--quiet", "--filter", f"label=com.docker.compose.project={PROJECT}")
    assert left.stdout == ""


def _token(stack: Stack) -> str:
    password = stack.compose("exec", "-T", "api", "cat", "/run/secrets/auth_admin_password").stdout
    answer = stack.api.post("/auth/login", json={"username": "admin", "password": password})
    return str(answer.raise_for_status().json()["access_token"])


def test_every_part_is_healthy_and_the_service_sees_it(stack: Stack) -> None:
    health = "{{.Name}} {{.State.Status}} {{.State.ExitCode}} {{with .State.Health}}{{.Status}}{{end}}"
    ids = stack.compose("ps", "--all", "--quiet").stdout.split()
    states = [line.split(maxsplit=1)[1] for line in docker("inspect", "-f", health, *ids).stdout.splitlines()]

    assert sorted(state.strip() for state in states) == ["exited 0"] + ["running 0 healthy"] * 6
    assert stack.api.get("/health/detailed").status_code == 200


def test_an_answer_comes_from_the_provider_by_way_of_litellm(stack: Stack) -> None:
    key, _ = stack.ask()

    logged = stack.compose("logs", "--no-color", "provider").stdout
    calls = [line for line in logged.splitlines() if '"kind":"call"' in line and key in line]
    assert len(calls) == 1, "one call, and no retries of the gateway's"
    assert '"POST /v1/chat/completions HTTP/1.1" 200' in stack.compose("logs", "--no-color", "litellm").stdout


def test_its_trace_is_in_mlflow(stack: Stack) -> None:
    keys: list[str] = []

    def traced() -> bool:
        # The first trace that MLflow ever takes may take it longer than the service waits.
        keys.append(stack.ask()[0])
        return any(key in stack.traced_prompts() for key in keys)

    until(traced, TRACE_SECONDS)


def test_its_answer_is_in_qdrant_and_comes_from_there(stack: Stack) -> None:
    before = stack.cached_answers()
    key, _ = stack.ask()

    until(lambda: stack.cached_answers() == before + 1)
    again = {"model": "groq-kimi-primary", "prompt": f"What is {key}?"}
    assert stack.api.post("/llm/generate", json=again).json()["cached"]


def test_a_toxic_on_the_way_to_litellm_makes_an_answer_slower(stack: Stack) -> None:
    usual = min(stack.ask()[1] for _ in range(3))
    toxic = {"name": "slow", "type": "latency", "attributes": {"latency": round(LATENCY * 1000)}}
    stack.faults.post("/proxies/litellm/toxics", json=toxic).raise_for_status()
    try:
        _, slow = stack.ask()
    finally:
        stack.faults.post("/reset").raise_for_status()

    assert usual < LATENCY <= slow


def test_of_what_is_behind_the_proxies_the_scripted_model_alone_is_published(stack: Stack) -> None:
    row = '{{.Label "com.docker.compose.service"}} {{.Ports}}'
    listed = docker("ps", "--filter", f"label=com.docker.compose.project={PROJECT}", "--format", row).stdout
    published = {line.split()[0]: line for line in listed.splitlines() if "->" in line}

    assert set(published) == {"api", "provider", "toxiproxy"}
    assert all(line.count("->") == line.count("127.0.0.1:") == 1 for line in published.values())


async def test_no_request_is_lost_while_two_instances_restart_in_turn(stack: Stack) -> None:
    port = stack.api.base_url.port
    assert port is not None
    with _second_instance(stack) as (second_port, second):
        containers = {port: stack.compose("ps", "--quiet", "api").stdout.strip(), second_port: second}

        async def restart(port: int) -> int:
            await asyncio.to_thread(_restart, containers[port])
            await asyncio.to_thread(until, lambda: _ready(port), READY_SECONDS)
            return port

        balancer = Balancer(list(containers))
        bearer = {"Authorization": stack.api.headers["Authorization"]}
        async with serving(balancer.serve) as balanced:
            callers = Callers(f"http://127.0.0.1:{balanced}", [bearer])
            async with callers.connected(reuse=False):
                rate = await choose_rate(callers)
                # Streams last some seconds with it.
                toxic = {"name": "narrow", "type": "bandwidth", "attributes": {"rate": 1}}
                stack.faults.post("/proxies/litellm/toxics", json=toxic).raise_for_status()
                try:
                    await restart_in_turn(callers, balancer, restart, rate=rate)
                finally:
                    stack.faults.post("/reset").raise_for_status()
        logs = [docker("logs", container).stdout for container in containers.values()]

    # On a busy machine the model may be too slow, with or without a restart.
    lost = [one for one in callers.asked if one.failed not in {None, "upstream_timeout"}]
    assert lost == []
    assert any(_drained(log) for log in logs), "there were requests to finish"


@contextmanager
def _second_instance(stack: Stack) -> Iterator[tuple[int, str]]:
    """The port and the container of one more instance of the service."""
    port = free_port()
    publish = f"127.0.0.1:{port}:8000"
    started = stack.compose("run", "--detach", "--no-deps", "--publish", publish, "api", seconds=UP_SECONDS)
    assert started.returncode == 0, started.stderr
    container = started.stdout.split()[-1]
    try:
        until(lambda: _ready(port), READY_SECONDS)
        yield port, container
    finally:
        docker("rm", "--force", container)


def _ready(port: int) -> bool:
    with suppress(httpx.TransportError):
        return httpx.get(f"http://127.0.0.1:{port}/health/detailed", trust_env=False).status_code == 200
    return False


def _restart(container: str) -> None:
    """SIGTERM, the time to drain that the stack gives, and a start; the drain must have sufficed."""
    stopped = docker("stop", "--time", "35", container)
    exited = docker("inspect", "--format", "{{.State.ExitCode}}", container).stdout.strip()
    assert (stopped.returncode, exited) in {(0, "0"), (0, "143")}, "killed"
    assert docker("start", container).returncode == 0


def _drained(log: str) -> int:
    """How many requests an instance had in flight when it was told to stop."""
    records = map(json.loads, log.splitlines())
    return next(int(record["in_flight"]) for record in records if record["message"] == "shutdown: draining")


@pytest.mark.usefixtures("docker_compose")
def test_without_a_key_compose_says_which_variable_is_missing(tmp_path: Path) -> None:
    empty = tmp_path / "env"
    empty.write_text("")

    ended = compose(empty, "config", seconds=60.0)

    assert ended.returncode
    assert "JWT_SECRET_KEY" in ended.stderr
