"""Real installations by npm, of packages that are made here, and their programs and modules in copies of a submission."""

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from chaos.history import Answer, Exited, Log
from chaos.http_client import Client
from chaos.recorder import Recorder
from chaos.sandbox.bubblewrap import find_bubblewrap, write_settings
from chaos.sandbox.probe import sandbox_refusal
from grading import node
from grading.environment import prepare
from grading.errors import MachineError, SubmissionError
from grading.install_box import InstallBox
from grading.processes import add_packages
from grading.sandbox import sandbox
from grading.start import StartPlan
from grading.workspace import Workspace

from .conftest import Repository

pytestmark = [
    pytest.mark.skipif(shutil.which("npm") is None, reason="Node.js is not installed"),
    pytest.mark.slow,
]
TINY = {
    "tiny/package.json": json.dumps(
        {"name": "tiny", "version": "1.0.0", "type": "module", "main": "index.js", "bin": "say.js"}
    ),
    "tiny/index.js": "export default 'of tiny';\n",
    "tiny/say.js": "#!/usr/bin/env node\nconsole.log('said');\n",
    "src/server.js": "import tiny from 'tiny';\nconsole.log(tiny);\n",
}


def package(*, tiny: bool = True, **scripts: str) -> str:
    content = {"name": "gateway", "version": "1.0.0", "type": "module", "scripts": scripts}
    return json.dumps(content | ({"dependencies": {"tiny": "file:./tiny"}} if tiny else {}))


class Bench:
    """Installs a repository's packages: in boxes, or as this user."""

    def __init__(self, repository: Repository, cache: Path, box: InstallBox | None) -> None:
        self.repository = repository
        self.cache = cache
        self.box = box

    async def prepare(self) -> tuple[StartPlan, Path]:
        start, submission = self.repository.plan(), self.repository.submission()
        return start, await prepare(submission, start, self.cache, lambda _: None, self.box)

    async def output(self, folder: Path) -> str:
        """Return what the start command prints in a copy of the repository with its packages."""
        return self._run(folder, *await self.prepare())

    def _run(self, folder: Path, start: StartPlan, venv: Path) -> str:
        copy = self.repository.submission().copy_to(folder / "copy")
        add_packages(copy, start, venv)
        words = start.argv("127.0.0.1", 0, venv / "bin")
        done = subprocess.run(words, cwd=copy / start.cwd, capture_output=True, text=True, check=False)
        return (done.stdout + done.stderr).strip()


@pytest.fixture(params=["boxed", "unboxed"])
def bench(
    request: pytest.FixtureRequest,
    repository: Repository,
    workspace: Workspace,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Bench:
    # No test needs a network; what asks for one meets a port where nobody listens.
    monkeypatch.setenv("npm_config_registry", "http://127.0.0.1:9/")
    box = None
    if request.param == "boxed":
        bubblewrap = find_bubblewrap()
        if sandbox_refusal() or not bubblewrap:
            pytest.skip("no box can be made on this machine by this user")
        settings = workspace.folder("settings")
        write_settings(settings)
        box = InstallBox(bubblewrap, settings, workspace, tmp_path / "uv")
    return Bench(repository, tmp_path / "cache", box)


async def test_a_local_package_and_its_program(bench: Bench, tmp_path: Path) -> None:
    bench.repository.write(TINY | {"package.json": package(start="node src/server.js", say="tiny")})
    assert await bench.output(tmp_path) == "of tiny"
    _, venv = await bench.prepare()
    assert (venv / "bin" / "tiny").resolve().name == "say.js"
    assert (venv / "bin" / "node").resolve() == node.find_node().program


async def test_what_was_installed_is_taken_again(bench: Bench) -> None:
    bench.repository.write({"package.json": package(tiny=False, start="node server.js"), "server.js": ""})
    _, first = await bench.prepare()
    _, second = await bench.prepare()
    bench.repository.write({"package.json": package(tiny=False, start="node  server.js")})
    _, third = await bench.prepare()
    assert first == second != third


async def test_a_build_runs_once_and_its_output_is_in_each_copy(bench: Bench, tmp_path: Path) -> None:
    build = "mkdir -p dist && sed s/tiny/tiny/ src/server.js > dist/server.js"
    bench.repository.write(TINY | {"package.json": package(start="node dist/server.js", build=build)})
    assert await bench.output(tmp_path) == "of tiny"
    assert (tmp_path / "copy" / "dist" / "server.js").stat().st_mode & 0o200
    assert not (bench.repository.root / "dist").exists()


async def test_scripts_after_the_installation(bench: Bench, tmp_path: Path) -> None:
    code = "require('fs').writeFileSync('made.txt', 'made')"
    made = package(start="node src/server.js", postinstall=f'node -e "{code}"')
    bench.repository.write(TINY | {"package.json": made})
    _, venv = await bench.prepare()
    assert (venv.parent / "project" / "made.txt").read_text() == "made"


@pytest.mark.parametrize(
    "scripts", [{"build": "exit 3"}, {"build": "echo ECONNRESET; echo 'npm error code ECONNRESET'; exit 1"}]
)
async def test_a_build_that_fails_is_the_submissions_failure(bench: Bench, scripts: dict[str, str]) -> None:
    bench.repository.write({"package.json": package(tiny=False, start="node dist/server.js", **scripts)})
    with pytest.raises(SubmissionError, match=r"package\.json cannot be installed; fix it until `npm`"):
        await bench.prepare()


@pytest.mark.parametrize(
    ("build", "place"),
    [
        ("cd .. && mv web old && ln -s {elsewhere} web", r"web/node_modules/\.bin"),
        ("mkdir -p node_modules && ln -s {elsewhere} node_modules/.bin", r"web/node_modules/\.bin"),
    ],
)
async def test_a_build_cannot_lead_the_grader_elsewhere(
    bench: Bench, tmp_path: Path, build: str, place: str
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "secret").write_text("secret")
    table = '[tool.grading]\ncommand = "node dist/server.js"\ncwd = "web"\n'
    content = package(tiny=False, build=build.format(elsewhere=elsewhere))
    bench.repository.write({"pyproject.toml": table, "web/package.json": content})
    with pytest.raises(SubmissionError, match=f"a link in place of {place}"):
        await bench.prepare()


async def test_what_a_build_links_to_stays_as_it_is(bench: Bench, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "grades.csv").touch(mode=0o400)
    build = f"ln -s {elsewhere} dist"
    bench.repository.write({"package.json": package(tiny=False, start="node dist/server.js", build=build)})
    await bench.output(tmp_path)
    assert (tmp_path / "copy" / "dist").is_symlink()
    assert (elsewhere / "grades.csv").stat().st_mode & 0o777 == 0o400


async def test_a_build_that_makes_too_much_is_the_submissions_failure(bench: Bench, tmp_path: Path) -> None:
    build = "truncate -s 300M dist.js"
    bench.repository.write({"package.json": package(tiny=False, start="node dist.js", build=build)})
    with pytest.raises(SubmissionError, match=r"`npm run build` has made more than 200 MB"):
        await bench.output(tmp_path)


async def test_what_says_which_scripts_run_is_read_before_any_of_them(bench: Bench) -> None:
    build = "mkdir dist && touch dist/server.js && rm package.json && mkfifo package.json"
    bench.repository.write({"package.json": package(tiny=False, start="node dist/server.js", build=build)})
    await bench.prepare()


async def test_a_lock_that_does_not_fit(bench: Bench) -> None:
    lock = {
        "name": "gateway",
        "version": "1.0.0",
        "lockfileVersion": 3,
        "packages": {"": {"name": "gateway"}},
    }
    files = {"package.json": package(start="node src/server.js"), "package-lock.json": json.dumps(lock)}
    bench.repository.write(TINY | files)
    with pytest.raises(SubmissionError) as caught:
        await bench.prepare()
    assert "npm ci" in caught.value.detail


async def test_a_registry_that_is_not_reached_is_the_machines_matter(bench: Bench) -> None:
    content = {"name": "gateway", "scripts": {"start": "node server.js"}, "dependencies": {"other": "1.0.0"}}
    bench.repository.write({"package.json": json.dumps(content), "server.js": ""})
    with pytest.raises(MachineError):
        await bench.prepare()


async def test_a_program_that_no_package_has(bench: Bench) -> None:
    bench.repository.write({"package.json": package(tiny=False, start="tsx server.js"), "server.js": ""})
    with pytest.raises(SubmissionError, match=r"tsx is not among what package\.json installs"):
        await bench.prepare()


def without_node(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[], node.Node]:
    monkeypatch.setenv("PATH", str(tmp_path))
    return node.find_node.__wrapped__


def test_a_machine_without_node(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(MachineError, match=r"needs Node\.js.*install it"):
        without_node(monkeypatch, tmp_path)()


def test_a_node_that_does_not_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "node").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "node").chmod(0o755)
    with pytest.raises(MachineError, match="does not run"):
        without_node(monkeypatch, tmp_path)()


async def test_a_service_in_a_box(repository: Repository, workspace: Workspace) -> None:
    if sandbox_refusal():
        pytest.skip("no box can be made on this machine by this user")
    server = """
import { createServer } from "node:http";
import tiny from "tiny";
const server = createServer((_request, answer) => answer.end(`${tiny} ${process.env.GREETING}`));
server.listen(Number(process.env.PORT), process.env.HOST);
process.on("SIGTERM", () => server.close(() => process.exit(7)));
"""
    repository.write(TINY | {"package.json": package(start="npm run serve", serve="node src/server.js")})
    repository.write({"src/server.js": server})
    submission = repository.submission()
    opened = sandbox(submission, repository.plan(), workspace, seed=1, announce=lambda _: None)
    async with opened as runtime:
        recorder = Recorder()
        program = runtime.program()
        service, host, port = await program.start(
            {"GREETING": "serves"}, instance="service", recorder=recorder
        )
        client = Client(f"http://{host}:{port}", recorder, runtime.network)
        async with service:
            end = await client.request("GET", "/", label="asked")
            while not isinstance(end, Answer):
                assert not recorder.history().of(Exited), recorder.history().of(Log)
                end = await client.request("GET", "/", label="asked")
            assert end.body == "of tiny serves"
            service.signal("TERM")
            exited = await service.wait_exit(20)
    assert exited is not None
    assert exited.code == 7
