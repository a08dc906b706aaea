"""Which lines of a service in Python its tests run, measured in real runs of them."""

import os
import sys
from pathlib import Path

import pytest

from chaos.history import Covered
from chaos.own_tests import python_coverage
from chaos.own_tests.covered import measure_coverage
from chaos.program import ProcessProgram
from chaos.recorder import Recorder

pytestmark = pytest.mark.medium

PRICE = """\
def cost(tokens):
    if tokens < 0:
        raise ValueError  # pragma: no cover
    return tokens


def unused():
    return 1
"""
TEST = "from price import cost\n\ndef test_cost():\n    assert cost(3) == 3\n"
SOURCES = '[tool.pytest.ini_options]\npythonpath = ["src"]\n'
SERVER = """\
import http.server


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()


def main():
    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    print(server.server_port, flush=True)
    server.serve_forever()


main()
"""
STARTS_A_SERVER = """\
import subprocess, sys, urllib.request

def test_server():
    server = subprocess.Popen([sys.executable, "src/serve.py"], stdout=subprocess.PIPE, text=True{env})
    port = server.stdout.readline().strip()
    assert urllib.request.urlopen(f"http://127.0.0.1:{{port}}/").status == 200
    server.terminate()
    server.wait()
    server.stdout.close()
"""
QUERIES = """\
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine


async def one():
    engine = create_async_engine("sqlite+aiosqlite://")
    async with engine.connect() as connection:
        answer = await connection.execute(text("SELECT 1"))
        await connection.run_sync(in_a_greenlet)
    await engine.dispose()
    return answer.scalar()


def in_a_greenlet(connection):
    connection.execute(text("SELECT 2"))
    return connection
"""


async def measured(root: Path, files: dict[str, str], *, python: str = sys.executable) -> Covered:
    repository = root / "repository"
    for name, text in files.items():
        path = repository / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    program = ProcessProgram(
        argv=lambda _host, _port: [],
        env=lambda _host, _port: {"PATH": os.environ["PATH"], "HOME": str(root)},
        python=Path(python),
        root=root,
        repository=repository,
        workdir=repository,
    )
    return await measure_coverage(program, Recorder(), variables={})


def figures(seen: Covered) -> dict[str, tuple[int, int]]:
    assert seen.problem == ""
    return {file.file: (file.executed, file.lines) for file in seen.files}


async def test_lines_are_counted_whatever_is_marked_and_left_out_and_nothing_stays_behind(
    tmp_path: Path,
) -> None:
    files = {
        "src/price.py": PRICE,
        "src/never_imported.py": "value = 1\n",
        "src/migrations/first.py": "value = 1\n",
        "src/test_price.py": "value = 1\n",
        "src/template.py": "{{ no program }} = (\n",
        "elsewhere.py": "value = 1\n",
        "tests/test_price.py": TEST,
        "tests/test_wrong.py": "def test_wrong():\n    assert False\n",
        "pyproject.toml": SOURCES + "[tool.coverage.run]\nomit = ['src/never_imported.py']\n",
    }
    (tmp_path / "repository/src").mkdir(parents=True)
    (tmp_path / "repository/src/link").symlink_to(tmp_path)
    seen = figures(await measured(tmp_path, files))
    assert seen == {"src/price.py": (4, 6), "src/never_imported.py": (0, 1)}
    repository = tmp_path / "repository"
    left = {path.relative_to(repository).as_posix() for path in sorted(repository.glob("*/*.py"))}
    assert left == {file for file in files if file.endswith(".py") and file.count("/") == 1}


async def test_without_a_folder_src_all_of_the_repository_counts(tmp_path: Path) -> None:
    files = {
        "app/price.py": PRICE,
        "setup.py": "value = 1\n",
        "tests/test_price.py": TEST.replace("from price", "from app.price"),
    }
    assert figures(await measured(tmp_path, files)) == {"app/price.py": (4, 6)}


async def test_pytest_cov_and_warnings_that_are_errors_do_not_disturb(tmp_path: Path) -> None:
    options = 'addopts = "--cov=src --cov-fail-under=100"\nfilterwarnings = ["error"]\n'
    options += 'asyncio_default_fixture_loop_scope = "function"\n'
    files = {"src/price.py": PRICE, "tests/test_price.py": TEST, "pyproject.toml": SOURCES + options}
    assert figures(await measured(tmp_path, files)) == {"src/price.py": (4, 6)}


@pytest.mark.parametrize("env", ["", ", env={'PATH': '/usr/bin', 'PYTHONPATH': 'src'}"])
async def test_a_server_that_a_test_starts_counts_too(env: str, tmp_path: Path) -> None:
    files = {"src/serve.py": SERVER, "tests/test_serve.py": STARTS_A_SERVER.format(env=env)}
    seen = figures(await measured(tmp_path, files))
    assert seen == {"src/serve.py": (10, 10)}


@pytest.mark.parametrize("left_out", [(), ("tracer*.so",)])
async def test_what_runs_in_greenlets_counts(
    left_out: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the tracer in C is for another version of Python."""
    monkeypatch.setattr(python_coverage, "NOT_COPIED", (*python_coverage.NOT_COPIED, *left_out))
    test = "import asyncio\nfrom store import one\n\ndef test_one():\n    assert asyncio.run(one()) == 1\n"
    files = {"src/store.py": QUERIES, "tests/test_store.py": test, "pyproject.toml": SOURCES}
    assert figures(await measured(tmp_path, files)) == {"src/store.py": (12, 12)}


async def test_a_service_that_is_installed_as_a_copy_counts(tmp_path: Path) -> None:
    files = {
        "src/shop/__init__.py": "",
        "src/shop/price.py": PRICE,
        "env/site-packages/shop/__init__.py": "",
        "env/site-packages/shop/price.py": PRICE,
        "tests/test_price.py": TEST.replace("from price", "from shop.price"),
        "pyproject.toml": SOURCES.replace("src", "env/site-packages"),
    }
    assert figures(await measured(tmp_path, files)) == {"src/shop/price.py": (4, 6)}


FORGED = """\
import atexit, json, pathlib, coverage

def pytest_unconfigure():
    data = coverage.Coverage.current().get_data()
    for path in pathlib.Path("src").resolve().glob("*.py"):
        data.add_lines({str(path): range(1, 100)})
"""


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        ({"tests/conftest.py": FORGED}, "other lines were reported than ran"),
        ({"tests/conftest.py": "import no_such_package\n"}, "No module named 'no_such_package'"),
        (
            {"pyproject.toml": "[tool.pytest.ini_options]\naddopts = '--nope'\n"},
            "pytest ended with exit code 4",
        ),
    ],
)
async def test_what_tells_nothing(files: dict[str, str], problem: str, tmp_path: Path) -> None:
    seen = await measured(
        tmp_path, {"src/price.py": PRICE, "tests/test_price.py": TEST, "pyproject.toml": SOURCES, **files}
    )
    assert seen.files == ()
    assert problem in seen.problem


FORGED = """\
import json, pathlib, sys
folder = pathlib.Path(sys.argv[1])
names = json.loads((folder / "files.json").read_text())
lines = {name: ([1], []) for name in names[:-1]} | {names[-1]: ([1, 2, 5, 6, 7, 10], [6, 7])}
(folder / "lines.json").write_text(json.dumps(lines))
sys.exit()
"""


@pytest.mark.parametrize(
    "attack",
    [
        pytest.param(
            'for name in ("python_coverage_report.py", "coverage/__init__.py", "sitecustomize.py"):'
            f" (here / name).write_text({FORGED!r})",
            id="the programs of the report",
        ),
        pytest.param(
            'open(here / "coveragerc", "a").write("[report]\\nexclude_lines =\\n    .*\\n")',
            id="its configuration",
        ),
        pytest.param('pathlib.Path("src/price.py").write_text("")', id="the service"),
        pytest.param(
            'f = pathlib.Path("src/price.py"); f.unlink(); f.symlink_to("/dev/null")',
            id="a link for the service",
        ),
    ],
)
async def test_tests_change_nothing_but_what_was_measured(attack: str, tmp_path: Path) -> None:
    test = f"""
import os, pathlib

def test_nothing():
    here = pathlib.Path(os.environ["COVERAGE_PROCESS_START"]).parent
    {attack}
"""
    covered = await measured(tmp_path, {"src/price.py": PRICE, "tests/test_price.py": test})
    assert [(one.file, one.lines, one.executed) for one in covered.files] == [("src/price.py", 6, 0)]


async def test_a_suite_without_end_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chaos.own_tests.measured.SECONDS", 2.0)
    files = {"src/price.py": PRICE, "tests/test_a.py": "def test_a():\n    while True:\n        pass\n"}
    assert "longer than 2 s" in (await measured(tmp_path, files)).problem


async def test_a_repository_without_tests_or_without_a_service(tmp_path: Path) -> None:
    assert "no folder tests/" in (await measured(tmp_path / "one", {"src/price.py": PRICE})).problem
    assert "no source file" in (await measured(tmp_path / "two", {"tests/test_price.py": TEST})).problem
