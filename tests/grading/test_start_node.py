"""Which start a package.json comes down to, by itself, in a Dockerfile and in a compose file."""

import json
from pathlib import Path
from typing import Any

import pytest

from grading.errors import SubmissionError
from grading.start import Requirements, StartPlan
from grading.start.package_json import ScriptCall, installs, script_call

from .conftest import Repository

SERVER = {"src/server.js": "app.listen(process.env.PORT)"}
IN_ROOT = Requirements(node=Path())


def package(*, main: str = "", **scripts: str) -> str:
    return json.dumps({"name": "gateway", "scripts": scripts, **({"main": main} if main else {})})


def planned(
    repository: Repository, start: str, more: dict[str, str] | None = None, **scripts: str
) -> StartPlan:
    files = SERVER | {"package.json": package(start=start, **scripts)} | (more or {})
    return repository.write(files).plan()


def test_the_script_start(repository: Repository) -> None:
    found = planned(repository, "node src/server.js")
    assert found == StartPlan(("node", "src/server.js"), Path(), IN_ROOT, "package.json")


@pytest.mark.parametrize(
    ("start", "command"),
    [
        ("node --env-file=.env src/server.js", ("node", "src/server.js")),
        ("node --watch src/server.js", ("node", "src/server.js")),
        ("node --inspect=0.0.0.0:9229 src/server.js", ("node", "src/server.js")),
        ("node -r dotenv/config src/server.js", ("node", "-r", "dotenv/config", "src/server.js")),
        ("exec node src/server", ("node", "src/server")),
        ("cross-env NODE_ENV=production node src/server.js", ("node", "src/server.js")),
        ("npx tsx src/server.js", ("tsx", "src/server.js")),
        ("npm run serve", ("node", "src/server.js", "--quiet")),
        ("yarn serve", ("node", "src/server.js", "--quiet")),
        ("pnpm run serve", ("node", "src/server.js", "--quiet")),
        ("npm run serve -- --loud", ("node", "src/server.js", "--quiet", "--loud")),
        ("npm ci && node src/server.js", ("node", "src/server.js")),
    ],
)
def test_what_a_script_comes_down_to(repository: Repository, start: str, command: tuple[str, ...]) -> None:
    found = planned(repository, start, serve="node src/server.js --quiet")
    assert (found.command, found.shell, found.requirements) == (command, "", IN_ROOT)


def test_variables_of_a_script(repository: Repository) -> None:
    found = planned(repository, "NODE_ENV=production PORT=3000 LITELLM_URL=x node src/server.js")
    assert (found.command, dict(found.env)) == (("node", "src/server.js"), {"NODE_ENV": "production"})


@pytest.mark.parametrize(
    ("start", "before"),
    [
        ("npm run migrate && node src/server.js", "npm run migrate && "),
        ("npm run ready", "npm run preready && "),
    ],
)
def test_what_comes_before(repository: Repository, start: str, before: str) -> None:
    found = planned(repository, start, migrate="node m.js", preready="node m.js", ready="node src/server.js")
    assert (found.command, found.shell, found.before) == (("node", "src/server.js"), "sh", before)


def test_what_a_build_makes(repository: Repository) -> None:
    found = planned(repository, "node dist/server.js", build="tsc")
    assert (found.command, found.requirements) == (
        ("node", "dist/server.js"),
        Requirements(node=Path(), node_build=True),
    )


def test_a_build_that_is_not_needed(repository: Repository) -> None:
    assert not planned(repository, "node src/server.js", build="tsc").requirements.node_build


def test_the_main_file(repository: Repository) -> None:
    files = SERVER | {"package.json": package(start="node .", main="src/server.js")}
    assert repository.write(files).plan().command == ("node", ".")


@pytest.mark.parametrize(
    ("start", "told"),
    [
        ("nodemon src/server.js", r"nodemon.*for development.*node src/server\.js"),
        ("node src/other.js", r"src/other\.js.*not in"),
        ("npm run missing", "missing.*does not have"),
        ("npm start", "from script to script"),
        ("node src/fixed.js", "fixed port 3000"),
        ("", "empty"),
    ],
)
def test_what_is_not_clear(repository: Repository, start: str, told: str) -> None:
    with pytest.raises(SubmissionError, match=told):
        planned(repository, start, {"src/fixed.js": "app.listen(3000, () => {})"})


@pytest.mark.parametrize("text", ["{", "[]", '"start"'])
def test_what_is_no_package(repository: Repository, text: str) -> None:
    with pytest.raises(SubmissionError, match=r"package\.json is not"):
        repository.write({"package.json": text}).plan()


@pytest.mark.parametrize("scripts", [{}, {"scripts": []}, {"scripts": {"start": 1}}])
def test_no_script_start(repository: Repository, scripts: dict[str, Any]) -> None:
    with pytest.raises(SubmissionError, match="no script `start`"):
        repository.write({"package.json": json.dumps(scripts)}).plan()


def test_a_dockerfile(repository: Repository) -> None:
    text = """
FROM node:20
WORKDIR /app
COPY package*.json ./
RUN npm ci --omit=dev
COPY src ./src
ENV NODE_ENV=production DATA=/app/data
CMD ["npm", "start"]
"""
    found = planned(repository, "node src/server.js", {"Dockerfile": text})
    assert (found.command, found.cwd, found.requirements) == (("node", "src/server.js"), Path(), IN_ROOT)
    assert found.source == "dockerfile"
    assert found.env == {"NODE_ENV": "production", "DATA": "{root}/data"}


@pytest.mark.parametrize("command", ["node src/server.js", "npm start", "npm --prefix /app start"])
def test_a_service_in_a_folder_of_its_own(repository: Repository, command: str) -> None:
    files = {
        "server/package.json": package(start="node src/server.js"),
        "server/src/server.js": "",
        "server/Dockerfile": "FROM node:20\nWORKDIR /app\nCOPY . .\nRUN npm ci\n",
        "compose.yaml": f"services: {{api: {{build: server, command: {command}}}}}\n",
    }
    found = repository.write(files).plan()
    assert (found.command, found.cwd) == (("node", "src/server.js"), Path("server"))
    assert found.requirements == Requirements(node=Path("server"))


def test_a_folder_that_compose_builds_without_a_command(repository: Repository) -> None:
    files = {
        "server/package.json": package(start="node src/server.js"),
        "server/src/server.js": "",
        "server/Dockerfile": "FROM node:20\nWORKDIR /app\nCOPY . .\n",
        "compose.yaml": "services: {api: {build: server}}\n",
    }
    found = repository.write(files).plan()
    assert (found.cwd, found.source, found.requirements.node) == (
        Path("server"),
        "package.json",
        Path("server"),
    )


def test_a_service_of_python_with_a_package_json_beside_it(repository: Repository) -> None:
    files = {
        "package.json": package(build="vite build"),
        "src/api/main.py": "",
        "requirements.txt": "uvicorn\n",
    }
    found = repository.write(files).plan()
    assert (found.command[0], found.requirements) == (
        "uvicorn",
        Requirements(files=(Path("requirements.txt"),)),
    )


def test_a_command_of_the_table(repository: Repository) -> None:
    table = '[tool.grading]\ncommand = "node src/server.js --fast"\n'
    found = planned(repository, "nodemon x", {"pyproject.toml": table})
    assert (found.command, found.requirements) == (("node", "src/server.js", "--fast"), IN_ROOT)


@pytest.mark.parametrize(
    ("words", "call"),
    [
        ("npm start", ScriptCall("start")),
        ("npm run dev", ScriptCall("dev")),
        ("npm run dev --silent", ScriptCall("dev", ("--silent",))),
        ("npm run-script dev -- -x", ScriptCall("dev", ("-x",))),
        ("npm --prefix=server start", ScriptCall("start", (), "server")),
        ("npm -C server run dev", ScriptCall("dev", (), "server")),
        ("yarn dev", ScriptCall("dev")),
        ("npm dev", None),
        ("npm ci", None),
        ("yarn install", None),
        ("yarn", None),
        ("node x.js", None),
    ],
)
def test_calls_of_scripts(words: str, call: ScriptCall | None) -> None:
    assert script_call(words.split()) == call


@pytest.mark.parametrize(
    ("words", "result"),
    [
        ("npm ci", True),
        ("npm install --omit=dev", True),
        ("yarn", True),
        ("npm install -g pm2", False),
        ("npm start", False),
    ],
)
def test_installations(words: str, *, result: bool) -> None:
    assert installs(words.split()) is result
