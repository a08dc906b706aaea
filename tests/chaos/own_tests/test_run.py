"""A submission's own tests, run as processes, by themselves and against those that would rather be counted."""

import importlib.util
import os
import socket
import sys
from pathlib import Path

import pytest

from chaos.history import Log, OwnTests
from chaos.own_tests.run import parse, run_tests
from chaos.program import ProcessProgram
from chaos.recorder import Recorder

pytestmark = pytest.mark.medium

HONEST = """
import pytest

class TestPrice:
    def test_of_two(self):
        assert 1 + 1 == 2

@pytest.mark.parametrize("number", [1, 2])
def test_numbers(number):
    assert number

def test_wrong():
    assert sum([1]) == 2

@pytest.mark.skip
def test_later():
    assert False
"""
EVERYTHING_PASSES = """
import pytest

@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    report.outcome = "passed"
    return report
"""
NOTHING_ELSE_RUNS = """
def pytest_collection_modifyitems(items):
    items[:] = [item for item in items if "own" in item.name]
"""
EXITS_WELL = """
import os

def pytest_sessionfinish():
    os._exit(0)
"""
WRITES_THE_REPORT = """
def pytest_unconfigure(config):
    report = '<testsuites><testsuite><testcase file="tests/test_a.py" classname="tests.test_a" name="test_a"/></testsuite></testsuites>'
    with open(config.option.xmlpath, "w") as file:
        file.write(report)
"""


def program(root: Path, files: dict[str, str]) -> ProcessProgram:
    repository = root / "repository"
    for name, text in {"tests/__init__.py": "", **files}.items():
        path = repository / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return ProcessProgram(
        argv=lambda _host, _port: [],
        env=lambda _host, _port: {"PATH": os.environ["PATH"], "HOME": str(root)},
        python=Path(sys.executable),
        root=root,
        repository=repository,
        workdir=repository,
    )


async def run(root: Path, files: dict[str, str]) -> OwnTests:
    [seen] = await run_tests(program(root, files), Recorder(), variables={"OPENAI_API_KEY": "k"})
    return seen


async def test_each_test_is_recorded_with_its_outcome(tmp_path: Path) -> None:
    seen = await run(tmp_path, {"tests/test_a.py": HONEST})

    assert seen.problem == ""
    assert [(case.file, case.name, case.outcome) for case in seen.cases] == [
        ("tests/test_a.py", "TestPrice.test_of_two", "passed"),
        ("tests/test_a.py", "test_numbers", "passed"),
        ("tests/test_a.py", "test_numbers", "passed"),
        ("tests/test_a.py", "test_wrong", "failed"),
        ("tests/test_a.py", "test_later", "skipped"),
    ]


async def test_a_run_leaves_nothing_behind_for_the_next(tmp_path: Path) -> None:
    own = program(tmp_path, {"tests/test_a.py": HONEST})

    [first], [second] = [await run_tests(own, Recorder(), variables={}) for _ in range(2)]

    assert first.cases == second.cases


async def test_each_fault_has_a_process_of_its_own_and_imports_are_shared(tmp_path: Path) -> None:
    plugin = tmp_path / "plugin.py"
    plugin.write_text(
        "import os\n\ndef prepare():\n    os.environ['PREPARED'] = str(os.getpid())\n\n"
        "def put(fault):\n    os.environ['FAULTS'] = os.environ.get('FAULTS', '') + fault\n"
    )
    test = """
import os

def test_shared():
    assert int(os.environ["PREPARED"]) == os.getppid()

def test_fault():
    assert os.environ.get("FAULTS", "") == ""

def test_other_fault():
    assert os.environ.get("FAULTS", "") != "second"
"""
    own = program(tmp_path, {"tests/test_a.py": test})

    runs = await run_tests(own, Recorder(), variables={}, plugin=plugin, faults=("", "first", "second"))

    assert [run.fault for run in runs] == ["", "first", "second"]
    failing = [[case.name for case in run.cases if case.outcome == "failed"] for run in runs]
    assert failing == [[], ["test_fault"], ["test_fault", "test_other_fault"]]


async def test_a_suite_that_makes_warnings_errors_runs_beside_shared_imports(tmp_path: Path) -> None:
    plugin = tmp_path / "plugin.py"
    plugin.write_text("def prepare():\n    import anyio\n\ndef put(fault):\n    pass\n")
    options = '[tool.pytest.ini_options]\nfilterwarnings = ["error"]\n'
    options += 'asyncio_default_fixture_loop_scope = "function"\n'
    own = program(tmp_path, {"tests/test_a.py": HONEST, "pyproject.toml": options})

    [seen] = await run_tests(own, Recorder(), variables={}, plugin=plugin)

    assert (seen.problem, len(seen.cases)) == ("", 5)


async def test_options_of_the_repositorys_own_leave_no_test_out(tmp_path: Path) -> None:
    options = '[tool.pytest.ini_options]\naddopts = "-x -k price -m nothing"\n'

    seen = await run(tmp_path, {"tests/test_a.py": HONEST, "pyproject.toml": options})

    assert seen.problem == ""
    assert len(seen.cases) == 5


@pytest.mark.parametrize("options", ["--stepwise --last-failed", "-p no:cacheprovider", "--failed-first -x"])
async def test_the_cache_of_pytest_chooses_no_tests(options: str, tmp_path: Path) -> None:
    configuration = f'[tool.pytest.ini_options]\naddopts = "{options}"\n'

    seen = await run(tmp_path, {"tests/test_a.py": HONEST, "pyproject.toml": configuration})

    assert (seen.problem, len(seen.cases)) == ("", 5)


@pytest.mark.skipif(importlib.util.find_spec("xdist") is None, reason="needs pytest-xdist")
async def test_the_tests_run_where_the_fault_is(tmp_path: Path) -> None:
    plugin = tmp_path / "plugin.py"
    plugin.write_text(
        "import os\n\ndef prepare():\n    os.environ['PREPARED'] = str(os.getpid())\n\ndef put(fault):\n    pass\n"
    )
    test = "import os\n\ndef test_a():\n    assert int(os.environ['PREPARED']) == os.getppid()\n"
    configuration = '[tool.pytest.ini_options]\naddopts = "-n 2 --dist loadfile"\n'
    own = program(tmp_path, {"tests/test_a.py": test, "pyproject.toml": configuration})

    [seen] = await run_tests(own, Recorder(), variables={}, plugin=plugin)

    assert [(case.name, case.outcome) for case in seen.cases] == [("test_a", "passed")]


async def test_a_configuration_in_the_folder_of_the_tests_changes_no_names(tmp_path: Path) -> None:
    seen = await run(tmp_path, {"tests/test_a.py": HONEST, "tests/pytest.ini": "[pytest]\n"})

    assert {case.file for case in seen.cases} == {"tests/test_a.py"}


async def test_a_file_that_cannot_be_imported_fails_beside_the_others(tmp_path: Path) -> None:
    seen = await run(tmp_path, {"tests/test_a.py": HONEST, "tests/test_b.py": "import no_such_package\n"})

    assert [case.name for case in seen.cases if case.outcome == "failed"] == ["tests.test_b", "test_wrong"]
    assert len(seen.cases) == 6


@pytest.mark.parametrize(
    ("files", "error"),
    [
        ({"pyproject.toml": "[tool.pytest.ini_options]\naddopts = '--no-such-option'\n"}, "--no-such-option"),
        ({"tests/conftest.py": "import no_such_package\n"}, "No module named 'no_such_package'"),
    ],
)
async def test_a_run_that_pytest_refuses_says_why(files: dict[str, str], error: str, tmp_path: Path) -> None:
    seen = await run(tmp_path, {"tests/test_a.py": HONEST, **files})

    assert "exit code 4" in seen.problem
    assert error in seen.problem


@pytest.mark.parametrize("hook", [EVERYTHING_PASSES, NOTHING_ELSE_RUNS])
async def test_results_that_do_not_come_through_are_no_results(hook: str, tmp_path: Path) -> None:
    seen = await run(tmp_path, {"tests/test_own.py": "def test_own():\n    assert 0\n", "conftest.py": hook})

    assert seen.cases == ()
    assert seen.problem


async def test_a_run_that_exits_by_itself_is_no_result(tmp_path: Path) -> None:
    seen = await run(tmp_path, {"tests/test_a.py": HONEST, "conftest.py": EXITS_WELL})

    assert seen.cases == ()
    assert "exit code 0" in seen.problem


async def test_a_report_that_was_replaced_is_no_report(tmp_path: Path) -> None:
    seen = await run(tmp_path, {"tests/test_a.py": HONEST, "conftest.py": WRITES_THE_REPORT})

    assert seen.cases == ()
    assert "had added" in seen.problem


async def test_a_suite_without_end_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chaos.own_tests.run.SECONDS", 1.0)

    seen = await run(tmp_path, {"tests/test_a.py": "def test_a():\n    while True:\n        pass\n"})

    assert "longer than" in seen.problem


async def test_a_repository_without_tests(tmp_path: Path) -> None:
    [seen] = await run_tests(
        ProcessProgram(
            argv=lambda _host, _port: [],
            env=lambda _host, _port: {},
            python=Path(sys.executable),
            root=tmp_path,
            repository=tmp_path,
            workdir=tmp_path,
        ),
        Recorder(),
        variables={},
    )

    assert "no folder tests/" in seen.problem


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has network namespaces")
async def test_the_tests_have_no_network_but_a_loopback_of_their_own(tmp_path: Path) -> None:
    reaching = """
import socket

def test_outside():
    socket.create_connection(("127.0.0.1", {port}), timeout=5)

def test_inside():
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname(), timeout=5).close()
"""
    recorder = Recorder()
    with socket.create_server(("127.0.0.1", 0)) as outside:
        files = {"tests/test_a.py": reaching.format(port=outside.getsockname()[1])}
        [seen] = await run_tests(program(tmp_path, files), recorder, variables={})

    if not (await _namespaces(tmp_path)):
        pytest.skip("this user may make no network namespace")
    outcomes = {case.name: case.outcome for case in seen.cases}
    log = "\n".join(line.text for line in recorder.history().of(Log))
    assert outcomes == {"test_outside": "failed", "test_inside": "passed"}, log


async def _namespaces(root: Path) -> bool:
    """Whether a process of this user's can leave the network: then it has loopback alone."""
    recorder = Recorder()
    service = await program(root, {}).run_python(
        ["-c", "print(open('/proc/net/dev').read().count(':'))"], {}, instance="namespace", recorder=recorder
    )
    async with service:
        await service.wait_exit(10)
    return [line.text for line in recorder.history().of(Log)] == ["1"]


@pytest.mark.parametrize(
    "report",
    [
        b"",
        b"no XML",
        b"<testsuites>",
        b'<!DOCTYPE a [<!ENTITY b "c">]><testsuites/>',
        b'<testsuites><!ENTITY b "c"></testsuites>',
        b"\xff\xfe",
    ],
)
def test_what_is_no_report(report: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - any of them is the caller's one sentence
        parse(report)
