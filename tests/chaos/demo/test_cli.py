"""The command as a class sees it: a process with a fault proxy, a model and a service, and signals to it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import httpx
import pytest

from chaos.ports import free_port
from tests.chaos.toxiproxy.support import LIMIT, Server, running

TINY = Path(__file__).parents[2] / "services" / "tiny.py"
MODEL = """
import asyncio
from chaos.llm import ScriptedLLM
from chaos.recorder import Recorder

async def main():
    async with ScriptedLLM(Recorder(), controls=True) as llm:
        print(llm.url, flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""

pytestmark = pytest.mark.slow


class Stack:
    """What the command is told of."""

    def __init__(self, faults: str, model: str, api: str) -> None:
        self.faults = httpx.Client(base_url=faults, trust_env=False)
        self.variables = {
            **os.environ,
            "CHAOS_FAULTS": faults,
            "CHAOS_MODEL": model,
            "CHAOS_API": api,
            "PYTHONPATH": os.pathsep.join(sys.path),
        }
        self.started: list[subprocess.Popen[str]] = []

    def start(self, *words: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "exercises.demo", *words],
            env=self.variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.started.append(process)
        return process

    def hold(self, *words: str) -> subprocess.Popen[str]:
        """Start a command and wait until it says that its fault is there."""
        process = self.start(*words)
        assert process.stdout
        assert process.stdout.readline().startswith("Broken: ")
        return process

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        process = self.start(*words)
        out, err = process.communicate(timeout=LIMIT)
        return subprocess.CompletedProcess(words, process.returncode, out, err)

    def proxy(self, name: str = "litellm") -> tuple[bool, list[str]]:
        """Whether a proxy is on, and the kinds of its toxics."""
        state = self.faults.get(f"/proxies/{name}").json()
        return state["enabled"], [toxic["type"] for toxic in state["toxics"]]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running("embedded") as server:
        yield server


@pytest.fixture(scope="module")
def model() -> Iterator[str]:
    with subprocess.Popen([sys.executable, "-c", MODEL], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        yield process.stdout.readline().strip()
        process.terminate()


@pytest.fixture
def stack(server: Server, model: str) -> Iterator[Stack]:
    port, proxied = free_port(), free_port()
    stack = Stack(server.url, model, f"http://127.0.0.1:{port}")
    proxy = {"name": "litellm", "upstream": model.removeprefix("http://"), "listen": f"127.0.0.1:{proxied}"}
    stack.faults.post("/proxies", json=proxy).raise_for_status()
    environment = {
        **os.environ,
        "PORT": str(port),
        "LITELLM_URL": f"http://127.0.0.1:{proxied}",
        "AUTH_ADMIN_PASSWORD": "x",
    }
    with subprocess.Popen(
        [sys.executable, str(TINY), "well"], env=environment, stderr=subprocess.DEVNULL
    ) as service:
        wait_until_served(port)
        yield stack
        service.kill()
    for process in stack.started:
        process.kill()
        process.communicate()
    stack.faults.delete("/proxies/litellm")
    stack.faults.close()


def wait_until_served(port: int) -> None:
    deadline = time.monotonic() + LIMIT
    while time.monotonic() < deadline:
        try:
            httpx.get(f"http://127.0.0.1:{port}/health", trust_env=False)
        except httpx.ConnectError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError("the service did not start")


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_a_signal_heals(stack: Stack, number: signal.Signals, code: int) -> None:
    process = stack.hold("outage", "litellm", "--for", "60s")
    assert stack.proxy() == (False, ["noop"])

    process.send_signal(number)
    out, err = process.communicate(timeout=LIMIT)

    assert (process.returncode, out, err) == (code, "Healed: outage of litellm.\n", "")
    assert stack.proxy() == (True, [])


def test_the_end_of_its_time_heals(stack: Stack) -> None:
    process = stack.hold("latency", "litellm", "2s", "--for", "1s")
    assert stack.proxy() == (True, ["latency"])

    out, _ = process.communicate(timeout=LIMIT)

    assert (process.returncode, out) == (0, "Healed, after 1 s: latency 2 s on litellm.\n")
    assert stack.proxy() == (True, [])


def test_what_a_killed_command_has_left_is_healed_by_the_next_once_its_time_is_over(stack: Stack) -> None:
    process = stack.hold("outage", "litellm", "--for", "2s")
    process.kill()
    process.wait(LIMIT)

    deadline = time.monotonic() + LIMIT
    while "Healed, for its time was over" not in (said := stack.run("status").stdout):
        assert "outage of litellm (" in said
        assert stack.proxy() == (False, ["noop"])
        assert time.monotonic() < deadline

    assert "Healed, for its time was over: outage of litellm.\nThere is no fault.\n" in said
    assert stack.proxy() == (True, [])


def test_heal_ends_what_others_have_set_and_those_who_hold_it(stack: Stack) -> None:
    stack.faults.post("/proxies/litellm/toxics", json={"type": "bandwidth", "attributes": {"rate": 1}})
    process = stack.hold("outage", "litellm", "--for", "60s")

    healed = stack.run("heal")
    out, _ = process.communicate(timeout=LIMIT)

    assert healed.stdout == "Healed: toxic bandwidth_downstream (bandwidth) on litellm, outage of litellm.\n"
    assert (process.returncode, out) == (0, "Healed by another command: outage of litellm.\n")
    assert stack.proxy() == (True, [])
    assert stack.run("heal").stdout == "There was no fault.\n"


def test_traffic_logs_in_with_the_services_own_password_and_meets_the_faults(stack: Stack) -> None:
    flaky = stack.hold("flaky", "litellm", "--fail", "1", "--for", "60s")

    first = stack.run("traffic", "--rate", "1/s", "--for", "1s")
    second = stack.run("traffic", "--rate", "4/s", "--for", "1s")
    out, _ = flaky.communicate(timeout=LIMIT)

    # The service knows no retries: the failure of its call is the end of its connection.
    assert "  ---  " in first.stdout
    assert out == "Over: the call has failed, and the model answers again.\n"
    assert second.stdout.count("  200  ") == 4
    assert "4 answers: 4 x 200; half of them within" in second.stdout
    assert (first.returncode, second.returncode) == (0, 0)


def test_a_frozen_service_goes_on(stack: Stack) -> None:
    process = stack.hold("signal", "api", "STOP", "--for", "60s")
    with pytest.raises(httpx.ReadTimeout):
        httpx.get(stack.variables["CHAOS_API"] + "/health", timeout=1, trust_env=False)

    process.send_signal(signal.SIGINT)
    process.communicate(timeout=LIMIT)

    assert httpx.get(stack.variables["CHAOS_API"] + "/health", timeout=LIMIT, trust_env=False).is_success
    assert stack.proxy() == (True, [])


def test_a_frozen_service_that_a_killed_command_has_left_goes_on_by_heal(stack: Stack) -> None:
    process = stack.hold("signal", "api", "STOP", "--for", "60s")
    process.kill()

    assert stack.run("heal").stdout == "Healed: freeze of api.\n"
    assert httpx.get(stack.variables["CHAOS_API"] + "/health", timeout=LIMIT, trust_env=False).is_success


def test_the_end_of_a_service_is_seen(stack: Stack) -> None:
    ended = stack.run("signal", "api", "sigterm")

    assert "SIGTERM sent to process" in ended.stdout
    assert "It ended after" in ended.stdout
    again = stack.run("signal", "api", "TERM")
    assert again.returncode == 3
    assert "Nothing that can be seen from here serves" in again.stderr


def test_watch_prints_lines_into_a_pipe_until_it_is_told_to_stop(stack: Stack) -> None:
    process = stack.start("watch")
    assert process.stdout
    lines = [process.stdout.readline() for _ in range(2)]

    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=LIMIT)

    assert all("faults: none" in line for line in lines)
    assert (process.returncode, err) == (130, "")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["latency", "litellm", "5parsecs"], "'5parsecs' is not a duration"),
        (["outage", "litellm", "--for", "0s"], "'0s' is not between"),
        (["outage", "redis"], "There is no proxy 'redis'; there are litellm."),
        (["flaky", "qdrant"], "'qdrant' cannot be flaky"),
        (["signal", "qdrant", "TERM"], "'qdrant' gets no signals"),
        (["signal", "api", "WINCH"], "'WINCH' is not one of the signals TERM, INT,"),
        (["traffic", "--rate", "fast"], "'fast' is no rate"),
        (["status", "--api", "localhost:8000"], "'localhost:8000' is no URL"),
    ],
)
def test_wrong_use_is_told_in_a_sentence(stack: Stack, words: Sequence[str], sentence: str) -> None:
    ended = stack.run(*words)

    assert ended.returncode == 2
    assert sentence in ended.stderr
    assert "Traceback" not in ended.stderr
    assert stack.proxy() == (True, [])


@pytest.mark.parametrize("words", [["status"], ["heal"], ["watch"], ["outage", "litellm"], ["traffic"]])
def test_without_a_stack_each_command_says_how_to_start_one(words: Sequence[str]) -> None:
    ended = Stack("http://127.0.0.1:9", "http://127.0.0.1:9", "http://127.0.0.1:9").run(*words)

    assert ended.returncode == 3
    assert ended.stderr.startswith("No fault proxy answers at http://127.0.0.1:9: start a stack with")
    assert ended.stderr.count("\n") == 1


def test_what_is_no_toxiproxy_is_told(stack: Stack) -> None:
    stack.variables["CHAOS_FAULTS"] = stack.variables["CHAOS_API"]

    ended = stack.run("status")

    assert ended.returncode == 3
    assert "is no Toxiproxy" in ended.stderr
    assert "Traceback" not in ended.stderr
