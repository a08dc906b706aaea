"""Installations in boxes: what a build has of this machine and its network, and what it can leave for others."""

import asyncio
import contextlib
import json
import os
import stat
import zipfile
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from chaos.sandbox.bubblewrap import find_bubblewrap, write_settings
from chaos.sandbox.probe import sandbox_refusal
from grading.command import Completed
from grading.environment import prepare
from grading.errors import MachineError, SubmissionError
from grading.install_box import BUILDING, InstallBox
from grading.start import Requirements, StartPlan
from grading.workspace import Workspace

from .conftest import Repository
from .test_environment import UV, make_wheel, project

pytestmark = [
    pytest.mark.medium,
    pytest.mark.skipif(bool(sandbox_refusal()), reason="no box can be made on this machine by this user"),
    pytest.mark.skipif(not Path(UV).exists(), reason="uv is not installed"),
]
PROJECT = '[project]\nname = "x"\nversion = "1"\nrequires-python = ">=3.11"\ndependencies = ["other"]\n'
TELL = "raise SystemExit('told:' + __import__('json').dumps({expression}))"


class Index:
    """A package index over HTTP on this machine, with the package `other`; it counts what it is asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.asked: list[str] = []
        self.port = 0

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            path = head.split(b" ")[1].decode().partition("?")[0].strip("/")
            self.asked.append(path)
            file = self.folder / path
            file = file / "index.html" if file.is_dir() else file
            body = file.read_bytes() if file.is_file() else b""
            kind = b"text/html" if file.suffix == ".html" else b"application/octet-stream"
            status = b"200 OK" if file.is_file() else b"404 Not Found"
            writer.write(
                b"HTTP/1.1 %s\r\ncontent-type: %s\r\ncontent-length: %d\r\nconnection: close\r\n"
                b"cache-control: max-age=3600, immutable\r\n\r\n%s" % (status, kind, len(body), body)
            )
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


@pytest.fixture
async def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Index]:
    found = Index(tmp_path / "index")
    for name in ("other", "more"):
        wheel = make_wheel(found.folder / name, name)
        (found.folder / name / "index.html").write_text(f'<a href="{wheel}">{wheel}</a>')
    for name in [name for name in os.environ if name.startswith(("UV_", "PIP_"))]:
        monkeypatch.delenv(name)
    async with await asyncio.start_server(found.answer, "127.0.0.1", 0) as server:
        found.port = server.sockets[0].getsockname()[1]
        monkeypatch.setenv("UV_DEFAULT_INDEX", f"http://grader:s3cret@127.0.0.1:{found.port}")
        yield found


class Bench:
    """Installs the requirements of one repository in boxes."""

    def __init__(self, repository: Repository, workspace: Workspace, folder: Path) -> None:
        self.repository = repository
        self.cache = folder / "cache"
        bubblewrap = find_bubblewrap()
        assert bubblewrap
        settings = workspace.folder("settings")
        write_settings(settings)
        self.box = InstallBox(bubblewrap, settings, workspace, self.cache / "uv")
        self.said: list[str] = []

    async def prepare(self, requirements: str) -> Path:
        self.repository.write({"requirements.txt": requirements})
        return await self.prepare_from(Requirements(files=(Path("requirements.txt"),)))

    async def prepare_from(self, requirements: Requirements) -> Path:
        self.repository.write({"serve.py": ""})
        start = StartPlan(("python", "serve.py"), Path(), requirements, "tool.grading")
        submission = self.repository.submission()
        return await prepare(submission, start, self.cache, self.said.append, self.box)

    async def told(self, expression: str) -> object:
        """Return what an expression is in a build."""
        project(self.repository.root / "tiny", "tiny", TELL.format(expression=expression))
        with pytest.raises(SubmissionError) as caught:
            await self.prepare("./tiny\n")
        [line] = [line for line in caught.value.detail.splitlines() if line.strip().startswith("told:")] or [
            ""
        ]
        return json.loads(line.strip().removeprefix("told:") or "null")


@pytest.fixture
def bench(repository: Repository, workspace: Workspace, tmp_path: Path, index: Index) -> Bench:
    return Bench(repository, workspace, tmp_path)


def installed(venv: Path) -> set[str]:
    return {entry.name for entry in (venv / "bin").iterdir()} & {"other", "more", "tiny"}


async def test_wheels_come_from_the_index_and_are_compiled(bench: Bench, index: Index) -> None:
    made = await bench.prepare("other\n")

    assert installed(made) == {"other"}
    assert "other" in index.asked
    assert list(made.rglob("other/__pycache__/*.pyc"))


async def test_what_was_fetched_once_is_in_the_shared_cache(bench: Bench, index: Index) -> None:
    await bench.prepare("other\n")
    index.asked.clear()
    made = await bench.prepare("other\nmore\n")

    assert installed(made) == {"other", "more"}
    assert not [path for path in index.asked if path.endswith("other-1.0-py3-none-any.whl")]


async def test_an_environment_is_read_only_and_taken_again(bench: Bench, index: Index) -> None:
    made = await bench.prepare("other\n")
    index.asked.clear()

    assert not [path for path in made.rglob("*") if not path.is_symlink() and path.stat().st_mode & 0o222]
    assert await bench.prepare("other\n") == made
    assert index.asked == []


async def test_what_a_build_leaves_runs_as_whoever_starts_it(bench: Bench) -> None:
    leave = (
        "[os.chmod(shutil.copy('/bin/true', os.environ['UV_PROJECT_ENVIRONMENT'] + f'/left-{mode:o}'), mode)"
        " for mode in (0o4755, 0o2755, 0o1777)]"
    )
    project(bench.repository.root / "tiny", "tiny", leave)
    made = await bench.prepare("./tiny\n")

    left = [path.stat().st_mode for path in made.glob("left-*")]
    assert [stat.S_IMODE(mode) for mode in left] == [0o555, 0o555, 0o555]
    assert stat.S_IMODE(bench.cache.stat().st_mode) == 0o700


async def test_a_build_cannot_take_the_lock_for_interpreters(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    managed = tmp_path / "pythons"
    (managed / "cpython-3.99.1-linux-x86_64-gnu/bin").mkdir(parents=True)
    (managed / "cpython-3.99-linux-x86_64-gnu").symlink_to("cpython-3.99.1-linux-x86_64-gnu")
    (managed / ".lock").touch()
    monkeypatch.setenv("UV_PYTHON_INSTALL_DIR", str(managed))

    there = f"[sorted(os.listdir({str(managed)!r})), os.listdir({str(managed / 'cpython-3.99-linux-x86_64-gnu')!r})]"

    assert await bench.told(there) == [
        ["cpython-3.99-linux-x86_64-gnu", "cpython-3.99.1-linux-x86_64-gnu"],
        ["bin"],
    ]


async def test_an_environment_that_somebody_wrote_to_is_made_again(bench: Bench) -> None:
    made = await bench.prepare("other\n")
    [module] = made.rglob("other/__init__.py")
    before = module.stat()
    module.chmod(0o644)
    module.write_text(module.read_text().replace("here", "evil"))
    os.utime(module, ns=(before.st_atime_ns, before.st_mtime_ns))
    module.chmod(before.st_mode)

    again = await bench.prepare("other\n")

    assert again != made
    assert "evil" not in next(again.rglob("other/__init__.py")).read_text()


async def test_what_the_repository_builds_is_installed_too(bench: Bench) -> None:
    project(bench.repository.root / "tiny", "tiny")

    assert installed(await bench.prepare("other\n./tiny\n")) == {"other", "tiny"}


async def test_a_build_sees_no_secret_of_the_graders(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("UV_PUBLISH_TOKEN", "s3cret")
    monkeypatch.setenv("UV_INDEX_OWN_PASSWORD", "s3cret")
    (tmp_path / "private").write_text("s3cret")
    seen = (
        "[sorted(v for v in os.environ.values() if 's3cret' in v),"
        " [one for one in os.listdir('/proc') if one.isdigit() and b's3cret' in open(f'/proc/{one}/environ','rb').read()],"
        f" os.path.exists({str(tmp_path / 'private')!r}), os.path.exists({str(Path.home() / '.bashrc')!r})]"
    )

    assert await bench.told(seen) == [[], [], False, False]


async def test_requirements_tell_nobody_the_graders_variables(bench: Bench, index: Index) -> None:
    wheel = f"http://127.0.0.1:{index.port}/other/other-1.0-py3-none-any.whl"
    made = await bench.prepare(f"other @ {wheel}?${{UV_DEFAULT_INDEX}}\n")

    assert installed(made) == {"other"}
    [url] = made.rglob("direct_url.json")
    assert "s3cret" not in url.read_text()


@pytest.mark.parametrize(
    "requirements",
    ["my-certificate\n", "other ==no space left on device\n", "other ==no interpreter found\n"],
)
async def test_what_uv_quotes_is_no_failure_of_the_machines(bench: Bench, requirements: str) -> None:
    with pytest.raises(SubmissionError):
        await bench.prepare(requirements)


@pytest.mark.parametrize(
    "lock", ["= [", 'version = 1\n[[package]]\nname = "x"\nsource = 5\n', "a = " + "[" * 5000]
)
async def test_a_lock_that_is_none_is_the_submissions_failure(bench: Bench, lock: str) -> None:
    bench.repository.write({"pyproject.toml": PROJECT, "uv.lock": lock})
    with pytest.raises(SubmissionError, match=r"uv\.lock|RecursionError"):
        await bench.prepare_from(Requirements(project=Path(), locked=True))


@pytest.mark.parametrize("setting", ["target", "prefix"])
@pytest.mark.parametrize("place", ["../../../../uv", "../../../../uv/wheels-v7"])
async def test_settings_write_nothing_into_the_shared_cache(bench: Bench, setting: str, place: str) -> None:
    await bench.prepare("other\n")
    before = {str(path) for path in (bench.cache / "uv").rglob("*")}
    bench.repository.write({"pyproject.toml": f'{PROJECT}[tool.uv.pip]\n{setting} = "{place}"\n'})

    with contextlib.suppress(SubmissionError):
        await bench.prepare_from(Requirements(project=Path()))

    assert {str(path) for path in (bench.cache / "uv").rglob("*")} == before


async def test_settings_that_choose_packages_are_no_reason_to_do_without_the_cache(
    bench: Bench, index: Index
) -> None:
    await bench.prepare("other\n")
    index.asked.clear()
    settings = '[tool.uv]\npackage = false\nconstraint-dependencies = ["other<2"]\n'
    bench.repository.write({"pyproject.toml": PROJECT + settings})
    made = await bench.prepare_from(Requirements(project=Path()))

    assert installed(made) == {"other"}
    assert not [path for path in index.asked if path.endswith(".whl")]


async def test_what_was_half_installed_is_started_without_the_shared_cache(
    bench: Bench, index: Index
) -> None:
    [wheel] = (index.folder / "more").glob("*.whl")
    write = "import os; open(os.environ['UV_CACHE_DIR'] + '/started', 'w').write(os.environ['UV_DEFAULT_INDEX'])\n"
    with zipfile.ZipFile(wheel, "a") as archive:
        archive.writestr("start.pth", write)
        archive.writestr("more-1.0.data/timed out/file", "")  # uv says that it does not know such a folder

    with pytest.raises(SubmissionError):
        await bench.prepare("more\n")

    assert not (bench.cache / "uv/started").exists()


async def test_a_build_reaches_the_index_and_nothing_else(bench: Bench, index: Index) -> None:
    async def ignore(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with await asyncio.start_server(ignore, "127.0.0.1", 0) as other:
        port = other.sockets[0].getsockname()[1]
        source = """
def status(url):
    import urllib.error, urllib.request
    try:
        return urllib.request.urlopen(url, timeout=5).status
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0
def connects(port):
    import socket
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
        return True
    except OSError:
        return False
"""
        index_url = f"http://127.0.0.1:{index.port}/other/"
        seen = f"[status({index_url!r}), status('http://127.0.0.1:{port}/'), status('http://192.0.2.1/'), connects({port})]"
        found = await bench.told(f"(exec({source!r}, globals()), {seen})[1]")

    assert found == [200, 403, 403, False]


async def test_a_build_writes_to_its_own_folders_alone(bench: Bench, tmp_path: Path) -> None:
    await bench.prepare("other\n")
    places = [tmp_path, bench.cache, bench.cache / "uv", bench.cache / "boxed", Path.home(), Path("/usr")]
    source = f"""
def write(place):
    try:
        open(os.path.join(place, "written-by-a-build"), "w").close()
    except OSError:
        pass
for place in {list(map(str, places))!r}:
    write(place)
"""
    await bench.told(f"exec({source!r}, globals())")

    assert [place for place in places if (place / "written-by-a-build").exists()] == []


async def test_what_a_build_starts_ends_with_it(bench: Bench) -> None:
    line = (
        "__import__('subprocess').Popen(['sleep', '98765'], start_new_session=True,"
        " stdin=-3, stdout=-3, stderr=-3)"
    )
    project(bench.repository.root / "tiny", "tiny", line)

    assert installed(await bench.prepare("./tiny\n")) == {"tiny"}
    assert not _runs("98765")


async def test_what_leads_the_interpreter_elsewhere_is_refused(bench: Bench, index: Index) -> None:
    [wheel] = (index.folder / "more").glob("*.whl")
    swap = (
        "import os; here = os.environ['UV_PROJECT_ENVIRONMENT'] + '/bin/python';"
        " os.unlink(here); os.symlink('/root/private/bin/python', here)\n"
    )
    with zipfile.ZipFile(wheel, "a") as archive:
        archive.writestr("swap.pth", swap)

    with pytest.raises(SubmissionError, match="replaced the interpreter"):
        await bench.prepare("more\n")


async def test_a_build_without_end_is_the_submissions_failure(bench: Bench) -> None:
    class Hasty(InstallBox):
        async def run(self, argv: Sequence[str], **options: Any) -> tuple[Completed, str]:
            if options["trust"] is BUILDING:
                options["timeout"] = 2.0
            return await super().run(argv, **options)

    project(bench.repository.root / "tiny", "tiny", "__import__('time').sleep(300)")
    bench.box = Hasty(bench.box.bubblewrap, bench.box.settings, bench.box.workspace, bench.box.cache)

    with pytest.raises(SubmissionError, match="took longer than it may"):
        await bench.prepare("./tiny\n")


async def test_what_a_build_says_of_the_network_is_its_own(bench: Bench) -> None:
    project(
        bench.repository.root / "tiny",
        "tiny",
        "open('/proc/%d/fd/2' % os.getppid(), 'w').write('dns error\\n') and os.kill(os.getppid(), 9)",
    )

    with pytest.raises(SubmissionError):
        await bench.prepare("./tiny\n")


async def test_another_index_is_refused_and_named(bench: Bench) -> None:
    with pytest.raises(SubmissionError, match=r"leads to index\.example\.org.*GRADING_INDEX_HOSTS"):
        await bench.prepare("--extra-index-url http://index.example.org/simple\nother\n")


async def test_an_index_that_is_down_is_the_machines_matter(
    repository: Repository, workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_DEFAULT_INDEX", "http://127.0.0.1:1/simple")
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")

    with pytest.raises(MachineError, match="network"):
        await Bench(repository, workspace, tmp_path).prepare("other\n")


def _runs(word: str) -> bool:
    """Whether any process has this word on its command line."""
    return any(_holds(one, word) for one in Path("/proc").glob("[0-9]*/cmdline"))


def _holds(file: Path, text: str) -> bool:
    try:
        return text in file.read_text()
    except OSError:
        return False
