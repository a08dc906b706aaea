import asyncio
import contextlib
import dataclasses
import os
import shutil
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from chaos.contract import Contract
from chaos.history import (
    SERVICE,
    Answer,
    Database,
    Exited,
    Failure,
    Fault,
    File,
    Given,
    Launched,
    Log,
    Planted,
    Ready,
    Request,
)
from chaos.http_client import Client
from chaos.output import OUTPUT_LINES
from chaos.postgres import PostgresDatabase, PostgresServer
from chaos.program import ProcessProgram
from chaos.proxy_server import proxy_server
from chaos.recorder import Recorder
from exercises.catalogue import assessment
from lab.axes import Axis, missed
from lab.lab import RESTARTED, SECOND, Lab
from lab.settings import Draw, Settings, no_settings
from tests.exam import CONTRACT

pytestmark = pytest.mark.medium

ENV = {"PATH": os.environ["PATH"]}
PROGRAM = """
import http.server, os, pathlib, socket, sys, time
behaviour, address = os.environ["BEHAVIOUR"], ("127.0.0.1", int(os.environ["PORT"]))
if behaviour == "serves":
    print(pathlib.Path.cwd(), *os.environ.get("JWT_SECRET_KEY", "").split(), flush=True)
    http.server.HTTPServer(address, http.server.BaseHTTPRequestHandler).serve_forever()
if behaviour == "binds":
    listener = socket.create_server(address)
    time.sleep(60)
if behaviour == "loses its port" and not (lost := pathlib.Path("lost")).exists():
    lost.touch()
    sys.exit("[Errno 98] Address already in use")
print(os.environ.get("JWT_SECRET_KEY", "no key"), flush=True)
sys.exit(3)
"""


def copied(program: ProcessProgram) -> ProcessProgram:
    """Return the program in a copy of its repository."""
    repository = program.root / "copy"
    shutil.copytree(program.repository, repository)
    return dataclasses.replace(program, repository=repository, workdir=repository / "src")


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Lab]:
    async with open_lab(tmp_path) as lab:
        yield lab


@contextlib.asynccontextmanager
async def open_lab(
    tmp_path: Path, settings: Draw = no_settings, contract: Contract = CONTRACT
) -> AsyncIterator[Lab]:
    repository = tmp_path / "repository"
    (repository / "src").mkdir(parents=True)
    program = ProcessProgram(
        argv=lambda _host, _port: [sys.executable, "-c", PROGRAM],
        env=lambda _host, port: {**ENV, "PORT": str(port), "BEHAVIOUR": "exits"},
        python=Path(sys.executable),
        root=tmp_path,
        repository=repository,
        workdir=repository / "src",
    )
    async with proxy_server(seed=1, env=ENV) as server, contextlib.aclosing(PostgresServer()) as postgres:
        lab = Lab(
            "lab",
            seed=1,
            contract=contract,
            program=program,
            toxiproxy=server.client,
            recorder=Recorder(),
            starts=asyncio.Semaphore(2),
            postgres=postgres,
            copies=lambda: copied(program),
            settings=settings,
        )
        async with lab:
            yield lab


async def test_the_secrets_of_an_instance_are_on_record(lab: Lab) -> None:
    planted = {event.name: event.value for event in lab.history.of(Planted)}

    assert planted == CONTRACT.given(lab.secrets)
    assert len(set(planted.values())) == 3


async def test_a_model_is_found_by_the_name_of_its_upstream(lab: Lab) -> None:
    assert lab.llm_of(lab.contract.model) is lab.llm
    with pytest.raises(LookupError, match="'other'"):
        lab.llm_of("other")


async def test_an_attempt_records_what_an_instance_with_a_changed_environment_does(lab: Lab) -> None:
    await asyncio.gather(
        lab.attempt("with another key", {"JWT_SECRET_KEY": "other"}),
        lab.attempt("without a key", {"JWT_SECRET_KEY": None}),
    )

    for name, line in (("with another key", "other"), ("without a key", "no key")):
        history = lab.history.instance(name)
        assert [event.text for event in history.of(Log)] == [line]
        assert [event.code for event in history.of(Exited)] == [3]
        assert not history.of(Ready)


async def test_an_attempt_ends_with_the_first_answer(lab: Lab) -> None:
    await lab.attempt("served", {"BEHAVIOUR": "serves"})

    history = lab.history.instance("served")
    assert len(history.of(Ready)) == 1
    assert history.of(Exited)[0].cause == "killed by the lab"


async def test_settings_may_be_composed_of_secrets(tmp_path: Path) -> None:
    templates = {"JWT_SECRET_KEY": "not $token_key"}
    async with open_lab(tmp_path, lambda _source: Settings(composed=templates)) as lab:
        await lab.attempt("composed", {})

        [given] = lab.history.of(Given)
        assert given.variables == templates
        [line] = lab.history.instance("composed").of(Log)
        assert line.text == f"not {lab.secrets['token_key']}"


async def test_instances_share_variables_and_a_restarted_one_its_files(lab: Lab, tmp_path: Path) -> None:
    lab.settings = Settings(variables={"BEHAVIOUR": "serves"})
    assert await lab.start()

    second = await lab.second()
    assert second
    assert second.client.port != lab.client.port
    addresses = [f"{one.client.host}:{one.client.port}" for one in (lab, second)]
    assert [ready.address for ready in lab.history.of(Ready)] == addresses
    assert isinstance(await second.client.request("GET", "/", label="second"), Answer)
    restarted = await lab.kill_and_restart()
    assert restarted
    assert isinstance(await restarted.client.request("GET", "/", label="restarted"), Answer)
    assert isinstance(await lab.get("/", label="killed"), Failure)

    history = lab.history
    folders = {SERVICE: "repository", SECOND: "copy", RESTARTED: "repository"}
    key = lab.contract.given(lab.secrets)["JWT_SECRET_KEY"]
    for name, folder in folders.items():
        own = history.instance(name)
        assert next(event.text for event in own.of(Log)) == f"{tmp_path / folder / 'src'} {key}"
        assert len(own.of(Ready)) == 1
    assert [event.code for event in history.instance().of(Exited)] == [-9]
    numbers = [request.request for request in history.of(Request)]
    assert len(set(numbers)) == len(numbers)


async def test_a_port_that_is_only_bound_is_no_answer(lab: Lab) -> None:
    await lab.attempt("bound", {"BEHAVIOUR": "binds"}, seconds=1.5)

    history = lab.history.instance("bound")
    assert not history.of(Ready)
    assert history.of(Exited)[0].cause == "killed by the lab"


async def test_an_attempt_that_loses_its_port_is_made_again(lab: Lab) -> None:
    await lab.attempt("second try", {"BEHAVIOUR": "loses its port"})

    history = lab.history.instance("second try")
    assert len(history.of(Launched)) == 2
    assert [event.code for event in history.of(Exited)] == [1, 3]


async def test_files_are_recorded_by_pattern_relative_to_the_submission(lab: Lab, tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    for path, text in {".env.example": "A=1", "src/a.py": "print()", "src/b.txt": "b"}.items():
        (repository / path).write_text(text)
    (repository / "linked.py").symlink_to(repository / "src" / "a.py")
    (tmp_path / "outside.py").touch()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "c.py").touch()
    (repository / "link").symlink_to(tmp_path / "elsewhere")

    lab.record_files("link/*.py", ".env.example", "**/*.py", "*.py")

    assert {file.path: file.text for file in lab.history.of(File)} == {
        ".env.example": "A=1",
        "src/a.py": "print()",
    }


@pytest.mark.parametrize("replaced", ["src", "."])
async def test_files_are_recorded_behind_no_link_that_a_service_has_made(
    lab: Lab, tmp_path: Path, replaced: str
) -> None:
    secrets = tmp_path / "secrets"
    (secrets / "src").mkdir(parents=True)
    for path in ("key.py", "src/key.py"):
        (secrets / path).write_text("secret")
    await lab.attempt("replaces a folder", {})
    folder = tmp_path / "repository" / replaced
    folder.rename(tmp_path / "old")
    folder.symlink_to(secrets)

    lab.record_files("*.py", "src/*.py", "src/**/*.py")

    assert lab.history.of(File) == []


async def test_a_delayed_upstream_answers_late_until_it_is_restored(lab: Lab) -> None:
    client = Client(lab.upstreams.url("mlflow"), lab.recorder)

    await lab.upstreams.latency("mlflow", 0.3)
    began = time.monotonic()
    late = await client.request("GET", "/health", label="late")
    took = time.monotonic() - began
    await lab.upstreams.heal("mlflow")
    prompt = await client.request("GET", "/health", label="prompt")

    assert isinstance(late, Answer)
    assert isinstance(prompt, Answer)
    assert took >= 0.3
    assert prompt.elapsed < took
    assert [fault.name for fault in lab.history.of(Fault)] == ["latency", "heal"]


async def test_the_seed_chooses_among_values_of_a_kind(lab: Lab) -> None:
    chosen = {lab.choose(["a", "b", "c"]) for _ in range(50)}

    assert chosen == {"a", "b", "c"}


async def test_pairs_meet_every_value_of_both_axes_and_are_on_record(lab: Lab) -> None:
    numbers, letters = (
        Axis("numbers", {"one": 1, "two": 2, "three": 3}),
        Axis("letters", {"a": "A", "b": "B"}),
    )

    met = [(number, letter) for _, number, _, letter in lab.pairs(numbers, letters)]

    assert len(met) == 3
    assert {number for number, _ in met} == {1, 2, 3}
    assert {letter for _, letter in met} == {"A", "B"}
    assert missed([numbers, letters], [lab.history]) == {}


async def test_a_database_that_holds_more_than_a_record_is_on_record_as_cut(tmp_path: Path) -> None:
    async with open_lab(tmp_path, contract=assessment("project61").contract) as lab:
        filler = f"CREATE TABLE filler AS SELECT generate_series(1, {OUTPUT_LINES}) AS number"
        await lab.upstreams.of(PostgresDatabase).query(filler)
        await lab.record_database()

    [dump] = lab.history.of(Database)
    assert (dump.cut, dump.problem) == (True, "")
