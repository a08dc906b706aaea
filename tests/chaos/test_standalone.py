"""Stand-ins as programs: what a container runs."""

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from chaos.ports import free_port
from tests.grading.stack.support import until

pytestmark = pytest.mark.medium

SECONDS = 20


@contextmanager
def program(module: str, port: int) -> Iterator[subprocess.Popen[str]]:
    argv = [sys.executable, "-m", module, "--port", str(port)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def answers(url: str) -> bool:
    try:
        return httpx.get(url, trust_env=False).is_success
    except httpx.ConnectError:
        return False


def test_the_model_answers_tells_its_calls_and_ends_on_sigterm() -> None:
    port = free_port()
    with program("chaos.llm", port) as process:
        until(lambda: answers(f"http://127.0.0.1:{port}/v1/models"))
        body = {"model": "gpt-4o-secondary", "messages": [{"role": "user", "content": "ref-1a2b3c4d5e6f"}]}
        answer = httpx.post(f"http://127.0.0.1:{port}/v1/chat/completions", json=body, trust_env=False)
        process.send_signal(signal.SIGTERM)
        printed, complaints = process.communicate(timeout=SECONDS)

    assert answer.json()["choices"][0]["message"]["content"]
    assert process.returncode == 0
    events = [json.loads(line) for line in printed.splitlines()]
    assert [event["kind"] for event in events] == ["call", "reply"], "model lists are not told"
    assert events[0]["key"] == "ref-1a2b3c4d5e6f"
    assert complaints == ""


def test_the_model_takes_orders_to_fail() -> None:
    port = free_port()
    with program("chaos.llm", port):
        until(lambda: answers(f"http://127.0.0.1:{port}/v1/models"))
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as http:
            http.put("/script/failures", json={"count": 1, "seconds": 60}).raise_for_status()
            statuses = [http.post("/v1/chat/completions", json={}).status_code for _ in range(2)]

    assert statuses == [503, 200]


@pytest.mark.slow
def test_the_vector_store_keeps_collections() -> None:
    port = free_port()
    with program("chaos.qdrant", port):
        until(lambda: answers(f"http://127.0.0.1:{port}/readyz"))
        collection = f"http://127.0.0.1:{port}/collections/answers"
        body = {"vectors": {"size": 1, "distance": "Dot"}}
        httpx.put(collection, json=body, trust_env=False).raise_for_status()

        assert answers(collection)


def test_a_taken_port_is_told_in_a_sentence() -> None:
    port = free_port()
    with socket.create_server(("127.0.0.1", port)), program("chaos.llm", port) as process:
        _, complaints = process.communicate(timeout=SECONDS)

    assert process.returncode == 1
    assert "cannot be listened on" in complaints
    assert "Traceback" not in complaints
