"""What start commands come down to, without any container."""

from pathlib import Path, PurePosixPath

import pytest

from grading.start import command as module
from grading.start.command import StartCommand
from grading.start.container import Command, Container
from grading.start.errors import UnclearStartError
from grading.start.servers import SERVERS

from .conftest import Repository

ADDRESS = ["--host", "{host}", "--port", "{port}"]
BIND = ["--bind", "{host}:{port}"]
UVICORN = ["uvicorn", "main:app", *ADDRESS]


def read(repository: Repository, command: Command) -> StartCommand:
    return module.read(Container(repository.submission(), "dockerfile", "the test", command=command))


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("uvicorn main:app", UVICORN),
        ("uvicorn main:app --host 0.0.0.0 --port 8000", UVICORN),
        ("uvicorn --host=0.0.0.0 --port=80 main:app", UVICORN),
        ("uvicorn main:app --reload --reload-dir src --env-file .env --uds /s", UVICORN),
        ("uvicorn main:app --port ${PORT:-8000} --host '::'", UVICORN),
        ("uvicorn main:app --port $PORT", UVICORN),
        ("uvicorn main:app --port {port}", UVICORN),
        ("uvicorn 'main:app' --log-level \"info\"", ["uvicorn", "main:app", "--log-level", "info", *ADDRESS]),
        ("uvicorn main:app --workers 2 --loop uvloop", ["uvicorn", "main:app", "--workers", "2", "--loop", "uvloop", *ADDRESS]),
        ("/usr/local/bin/uvicorn main:app", UVICORN),
        (".venv/bin/uvicorn main:app", UVICORN),
        ("python -m uvicorn main:app --port 80", ["python", "-m", *UVICORN]),
        ("python3.11 -u -m uvicorn main:app", ["python3.11", "-u", "-m", *UVICORN]),
        ("exec uvicorn main:app", UVICORN),
        ("uv run uvicorn main:app", UVICORN),
        ("uv run --frozen --no-dev --env-file .env -- uvicorn main:app", UVICORN),
        ("uv run -m uvicorn main:app", ["python", "-m", *UVICORN]),
        ("uv run main.py", ["python", "main.py"]),
        ("poetry run uvicorn main:app", UVICORN),
        ("tini -s -- uvicorn main:app", UVICORN),
        ("/usr/bin/tini -- uvicorn main:app", UVICORN),
        ("dumb-init --rewrite 15:2 uvicorn main:app", UVICORN),
        ("/usr/bin/env uvicorn main:app", UVICORN),
        ("opentelemetry-instrument uvicorn main:app --port 1", ["opentelemetry-instrument", *UVICORN]),
        ("fastapi run src/api/main.py --port 80", ["fastapi", "run", "src/api/main.py", *ADDRESS]),
        ("fastapi dev main.py", ["fastapi", "run", "main.py", *ADDRESS]),
        ("gunicorn main:app -k uvicorn.workers.UvicornWorker -b 0.0.0.0:80 -p x.pid",
         ["gunicorn", "main:app", "-k", "uvicorn.workers.UvicornWorker", "-p", "x.pid", *BIND]),
        ("gunicorn -b:80 --bind=unix:/s --reload main:app", ["gunicorn", "main:app", *BIND]),
        ("hypercorn main:app --bind 0.0.0.0:80", ["hypercorn", "main:app", *BIND]),
        ("granian --interface asgi main:app --host 0.0.0.0", ["granian", "--interface", "asgi", "main:app", *ADDRESS]),
        ("daphne -b 0.0.0.0 -p 80 main:app", ["daphne", "main:app", "--bind", "{host}", "--port", "{port}"]),
        ("serve --listen {host}:{port}", ["serve", "--listen", "{host}:{port}"]),
        ("pip install -r requirements.txt && uvicorn main:app", UVICORN),
        (["sh", "-c", "uvicorn main:app --port $PORT"], UVICORN),
        (["/bin/bash", "-lc", "exec uvicorn main:app"], UVICORN),
        (["bash", "-euo", "pipefail", "-c", "uvicorn main:app"], UVICORN),
        (["uvicorn", "main:app", "--port", "80"], UVICORN),
        (["tini", "--", "sh", "-c", "uvicorn main:app"], UVICORN),
    ],
)  # fmt: skip
def test_plain_commands(repository: Repository, command: Command, words: list[str]) -> None:
    start = read(repository, command)
    assert start.words == words
    assert (start.shell, start.before, start.directory) == ("", "", PurePosixPath("/"))


def test_folders_and_variables_are_taken_out_of_the_command(repository: Repository) -> None:
    start = read(repository, "cd src && cd api; PYTHONPATH=.. LOG='a b' uvicorn main:app")
    assert start.words == UVICORN
    assert start.directory == PurePosixPath("/src/api")
    assert start.env == {"PYTHONPATH": "..", "LOG": "a b"}
    assert not start.shell


def test_what_uv_is_told_is_kept(repository: Repository) -> None:
    start = read(repository, "uv run --directory src --extra prod --group=serve uvicorn main:app")
    assert (start.directory, start.extras, start.groups) == (PurePosixPath("/src"), ["prod"], ["serve"])


def test_what_comes_before_needs_a_shell(repository: Repository) -> None:
    start = read(repository, "alembic upgrade head && exec uvicorn main:app --port 80")
    assert start.shell == "sh"
    assert start.before == "alembic upgrade head && "
    assert start.words == UVICORN
    assert not start.raw


def test_variables_in_a_command_need_a_shell(repository: Repository) -> None:
    start = read(repository, 'X=$(nproc) uvicorn main:app --port "${PORT}" --workers "${WORKERS:-1}"')
    assert start.shell == "sh"
    assert start.before == "export X=$(nproc); "
    assert start.words == ["uvicorn", "main:app", "--workers", '"${WORKERS:-1}"', *ADDRESS]
    assert start.raw


@pytest.mark.parametrize("command", ["./start.sh", "sh start.sh", "bash -e ./start.sh", ["./start.sh"]])
def test_scripts_are_read(repository: Repository, command: Command) -> None:
    repository.write(
        {"start.sh": "#!/bin/bash\n# Starts.\nset -euo pipefail\n\ncd src\nexec uvicorn main:app --port 80\n"}
    )
    start = read(repository, command)
    assert start.words == UVICORN
    assert (start.shell, start.before, start.directory) == ("", "", PurePosixPath("/src"))


def test_a_script_keeps_its_preparations(repository: Repository) -> None:
    repository.write({"start.sh": "#!/bin/bash\nset -e\ncd src\n./migrate\nuvicorn main:app"})
    start = read(repository, "./start.sh")
    assert (start.shell, start.before) == ("bash", "set -e; ./migrate \n ")
    assert start.directory == PurePosixPath("/src")


def test_a_script_hands_on_its_arguments(repository: Repository) -> None:
    repository.write({"entry.sh": '#!/bin/sh\nset -e\nexec "$@"\n'})
    start = read(repository, ["./entry.sh", "uvicorn", "main:app"])
    assert (start.words, start.shell, start.before) == (UVICORN, "", "")


@pytest.mark.parametrize("shell", [["sh"], ["bash", "-e"], ["bash", "-o", "pipefail"]])
def test_a_script_by_a_shell_has_its_arguments_with_their_options(
    repository: Repository, shell: list[str]
) -> None:
    repository.write({"entry.sh": 'exec "$@"\n'})
    start = read(repository, [*shell, "entry.sh", "uvicorn", "main:app", "--app-dir", "src"])
    assert start.words == ["uvicorn", "main:app", "--app-dir", "src", *ADDRESS]


def test_an_executable_of_python(repository: Repository) -> None:
    repository.write({"bin/serve": "#!/usr/bin/env python3\n"})
    assert read(repository, "bin/serve --fast").words == ["python", "{root}/bin/serve", "--fast"]


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("", "is empty"),
        ([], "starts nothing"),
        ("uv run", "starts nothing"),
        ("uvicorn main:app | tee log", "pipe"),
        ("uvicorn main:app & wait", "after the server"),
        ("if true; then\nuvicorn main:app\nfi", "after the server"),
        ("uvicorn 'main:app", "cannot be split"),
        (["bash"], "only starts bash"),
        (["sh", "missing.sh"], "missing.sh"),
        ("./loop.sh", "script to script"),
    ],
)
def test_what_is_not_understood(repository: Repository, command: Command, says: str) -> None:
    repository.write({"loop.sh": "./loop.sh\n"})
    with pytest.raises(UnclearStartError, match=rf"(?s)the test.*{says}"):
        read(repository, command)


def test_paths_are_found_from_the_folder_of_the_start(repository: Repository) -> None:
    repository.write({"ops/run.sh": "uvicorn main:app", "ops/inner/x": ""})
    container = Container(
        repository.submission(),
        "dockerfile",
        "it",
        files=[(PurePosixPath("/app"), Path("ops"))],
        workdir=PurePosixPath("/app"),
        command="./run.sh",
    )
    assert module.read(container).words == UVICORN


@pytest.mark.parametrize(
    "page", ["EXAM.md", "exercises/assignment1/README.md", "exercises/project61/README.md"]
)
def test_pages_name_the_servers_that_are_given_their_address(page: str) -> None:
    text = (Path(__file__).parents[2] / page).read_text()

    assert ", ".join(SERVERS) in text.replace(" and daphne", ", daphne")
