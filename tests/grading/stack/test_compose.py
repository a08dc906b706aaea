"""The stack in containers. What is in them here is a few lines of Python, so that a start takes seconds."""

import secrets
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from grading.errors import MachineError, UsageError
from grading.stack import compose
from grading.stack.ports import url
from lab.env_file import variables
from tests.docker import docker
from tests.exam import CONTRACT
from tests.grading.stack.support import free_ports

KEY = "JWT_SECRET_KEY"

SERVER = """
import json, signal, sys
from http.server import BaseHTTPRequestHandler, HTTPServer

toxic = {"name": "slow", "type": "latency", "stream": "downstream", "toxicity": 1.0, "attributes": {}}
common = {"listen": "0.0.0.0:1", "upstream": "there:1"}
proxies = {
    "litellm": {"name": "litellm", **common, "enabled": True, "toxics": [toxic]},
    "qdrant": {"name": "qdrant", **common, "enabled": False, "toxics": []},
}

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.answer(proxies)
    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.answer({"access_token": "token of " + asked["password"]})
    def answer(self, body):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
print('{"message": "hello"}', flush=True)
HTTPServer(("0.0.0.0", 8000), Handler).serve_forever()
"""

STACK = """
x-server: &server
  image: {image}
  command: python /server.py
  volumes: ["./server.py:/server.py:ro"]
  healthcheck:
    test: [CMD, python, -c, "import urllib.request as r; r.urlopen('http://127.0.0.1:8000')"]
    interval: 1s
services:
  api:
    <<: *server
    environment:
      JWT_SECRET_KEY: ${{JWT_SECRET_KEY:?}}
      AUTH_ADMIN_PASSWORD: correct-horse
    ports: ["127.0.0.1:${{API_PORT:-8000}}:8000"]
  toxiproxy:
    <<: *server
    labels:
      llm-exam.control: "{control}"
      llm-exam.service: "${{API_PORT:-8000}}"
    ports: ["127.0.0.1:{control}:8000"]
  litellm:
    <<: *server
"""


@pytest.fixture
def control() -> int:
    return free_ports().control


@pytest.fixture
def folder(docker_compose: None, python_image: str, tmp_path: Path, control: int) -> Iterator[Path]:
    made = tmp_path / f"stack{secrets.token_hex(4)}"
    made.mkdir()
    (made / "server.py").write_text(SERVER)
    (made / compose.FILE).write_text(STACK.format(image=python_image, control=control))
    yield made
    down = docker("compose", "down", "--volumes", "--timeout", "2", folder=made)
    assert not down.returncode, down.stderr


@pytest.mark.slow
def test_a_stack_comes_up_shows_itself_lets_its_user_in_and_stops(
    folder: Path, control: int, capfd: pytest.CaptureFixture[str]
) -> None:
    port = free_ports().service
    assert compose.usable(folder)
    assert compose.find(control) is None

    said = compose.up(folder, port, CONTRACT)

    assert said
    assert KEY in said
    stack = compose.find(control)
    assert stack == compose.ComposeStack(folder, folder.name, port, running=True)
    parts = {part.name: part for part in compose.status(stack, control)}
    assert all(part.up for part in parts.values())
    assert parts["api"].address == url(port)
    assert "toxic slow" in parts["litellm"].note
    assert compose.token(stack, CONTRACT) == "token of correct-horse"
    assert compose.logs(stack, "service", follow=False) == 0
    assert '{"message": "hello"}' in capfd.readouterr().out.splitlines()

    assert "exited with code 7" in compose.down(stack)

    stopped = compose.find(control)
    assert stopped
    assert not stopped.running
    assert compose.logs(stopped, "service", follow=False) == 0
    assert '{"message": "hello"}' in capfd.readouterr().out.splitlines()
    with pytest.raises(UsageError, match="does not run"):
        compose.token(stopped, CONTRACT)


@pytest.mark.slow
@pytest.mark.usefixtures("docker_compose")
def test_a_stack_that_does_not_come_up_is_told_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / compose.FILE).write_text("services: {}")

    with pytest.raises(MachineError, match="grading up --local"):
        compose.up(tmp_path, None, CONTRACT)


def test_a_key_is_put_into_env_once_and_what_is_there_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(KEY, raising=False)
    env_file = tmp_path / ".env"
    env_file.write_text("QDRANT_IMAGE=mine\nJWT_SECRET_KEY=")

    assert compose._give_key(env_file, KEY)
    assert compose._give_key(env_file, KEY) is None

    found = [(one.name, len(one.value)) for one in variables(env_file.read_text())]
    assert found == [("QDRANT_IMAGE", 4), (KEY, 0), (KEY, 64)]


def test_a_new_env_is_the_users_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(KEY, raising=False)

    compose._give_key(tmp_path / ".env", KEY)

    assert stat.S_IMODE((tmp_path / ".env").stat().st_mode) == 0o600


def test_a_key_of_the_environment_is_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY, "there")

    assert compose._give_key(tmp_path / ".env", KEY) is None
    assert not (tmp_path / ".env").exists()


def test_only_a_folder_with_the_stack_is_brought_up_in_containers(tmp_path: Path) -> None:
    assert not compose.usable(tmp_path)
    (tmp_path / compose.FILE).write_text("services:\n  api:\n    build: .\n")
    assert not compose.usable(tmp_path)
