"""Runs a submission's own tests and records how each ended.

Tests are code of the submission's, in a process of its own: what pytest reports there is not proof. Two tests of the
lab's, one that passes and one that fails, under names that nobody could know, show whether results come through as
they are. What else can be done to a report is looked for in the submission's files (`lab.own_tests`).
"""

import asyncio
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from xml.etree import ElementTree as ET

from chaos.history import OwnTest, OwnTests
from chaos.program import Program
from chaos.recorder import Recorder

FOLDER = "tests"
FAULT_VARIABLE = "SERVICE_FAULT"
SECONDS = 60.0
REPORT_BYTES = 2 * 2**20
SOME_FAILED = 1
"""The exit code of pytest when tests failed, as one of the lab's own does."""
NO_PYTEST = 72

_RUN = f"""
import os, sys
sys.path[0:1] = [os.getcwd()]
sys.path.append(os.path.dirname(__file__))
try:
    import pytest
except ImportError:
    sys.exit({NO_PYTEST})
sys.exit(pytest.main(sys.argv[1:]))
"""
_PLUGIN = "service_fault"
_OPTIONS = ["-q", "--tb=short", "--maxfail=0", "-p", "no:cacheprovider", "-o", "junit_family=xunit1"]


@dataclass(frozen=True, slots=True)
class Probes:
    """The lab's own two tests: the functions `passes` and `fails` in the module `module`."""

    module: str
    passes: str
    fails: str

    @classmethod
    def draw(cls) -> Self:
        """Return tests with new names."""
        return cls(*(f"test_{secrets.token_hex(6)}" for _ in range(3)))

    def write(self, folder: Path) -> None:
        """Write them beside the submission's tests."""
        text = f"def {self.passes}():\n    pass\n\n\ndef {self.fails}():\n    raise AssertionError\n"
        (folder / f"{self.module}.py").write_text(text, encoding="utf-8")

    def remove(self, folder: Path) -> None:
        """Take them out again: the next run has tests of its own, and these would be counted there."""
        (folder / f"{self.module}.py").unlink(missing_ok=True)

    def problem(self, cases: tuple[OwnTest, ...]) -> str:
        """Say what is wrong with results that hold these tests; an empty string where nothing is."""
        ended = {case.name: case.outcome for case in cases if Path(case.file).stem == self.module}
        if ended == {self.passes: "passed", self.fails: "failed"}:
            return ""
        return "two tests that the grader had added, one that passes and one that fails, were not reported so"


async def run_tests(
    program: Program,
    recorder: Recorder,
    *,
    variables: Mapping[str, str],
    plugin: Path | None = None,
    fault: str = "",
) -> OwnTests:
    """Run what is in `tests/` with these variables, and record how it went.

    `plugin` is a module that pytest loads before the tests; it puts the `fault` into the service.
    """
    if not (program.repository / FOLDER).is_dir():
        return recorder.record(OwnTests(fault=fault, problem=f"there is no folder {FOLDER}/"))
    probes = Probes.draw()
    folder = await asyncio.to_thread(_prepare, program, probes, plugin)
    report = folder / "report.xml"
    # The last -m and -k count: the configuration's own could leave tests out.
    words: list[str | Path] = [
        folder / "run.py",
        FOLDER,
        *_OPTIONS,
        "-m",
        "",
        "-k",
        "",
        "--junit-xml",
        report,
    ]
    service = await program.run_python(
        [*words, "-p", _PLUGIN] if plugin else words,
        {**variables, FAULT_VARIABLE: fault, "PYTHONDONTWRITEBYTECODE": "1"},
        instance=f"own tests {fault}".strip(),
        recorder=recorder,
    )
    async with service:
        exited = await service.wait_exit(SECONDS)
    probes.remove(program.repository / FOLDER)
    cases: tuple[OwnTest, ...] = ()
    if exited is None:
        problem = f"the tests took longer than {SECONDS:.0f} s"
    elif exited.cause:
        problem = f"the tests were ended by the grader: they {exited.cause}"
    elif exited.code == NO_PYTEST:
        problem = "pytest is not installed: declare it in the group `dev` of pyproject.toml"
    elif exited.code != SOME_FAILED:
        problem = (
            f"pytest ended with exit code {exited.code}, and not with {SOME_FAILED}, though one test fails"
        )
    else:
        cases, problem = _read(report, probes)
    return recorder.record(OwnTests(fault=fault, cases=cases, problem=problem))


def _prepare(program: Program, probes: Probes, plugin: Path | None) -> Path:
    """Write what the run needs; returns the folder in which its report is going to be."""
    probes.write(program.repository / FOLDER)
    folder = program.root / f"own-tests-{secrets.token_hex(6)}"
    folder.mkdir()
    folder.chmod(0o777)  # in a container the tests run under another user
    (folder / "run.py").write_text(_RUN, encoding="utf-8")
    if plugin:
        (folder / f"{_PLUGIN}.py").write_bytes(plugin.read_bytes())
    return folder


def _read(report: Path, probes: Probes) -> tuple[tuple[OwnTest, ...], str]:
    """Return the tests in a report, without the lab's own, or why it cannot be taken for one."""
    try:
        if report.is_symlink() or not report.is_file() or report.stat().st_size > REPORT_BYTES:
            return (), "pytest wrote no report that could be read"
        cases = parse(report.read_bytes())
    except (OSError, ValueError) as error:
        return (), f"the report of pytest cannot be read ({error})"
    problem = probes.problem(cases)
    own = tuple(case for case in cases if Path(case.file).stem != probes.module)
    return ((), problem) if problem else (own, "")


def parse(report: bytes) -> tuple[OwnTest, ...]:
    """Return the tests in a JUnit XML report of pytest's (family xunit1). Raises ValueError where it is none."""
    if b"<!" in report.replace(b"<![CDATA[", b""):
        raise ValueError("it declares a document type")  # entities could make it grow without end
    try:
        root = ET.fromstring(report)  # noqa: S314 - bounded, and without declarations
    except ET.ParseError as error:
        raise ValueError(str(error)) from None
    return tuple(_case(case) for case in root.iter("testcase"))


def _case(case: ET.Element) -> OwnTest:
    file = case.get("file", "")
    module = Path(file).with_suffix("").as_posix().replace("/", ".")
    inner = case.get("classname", "").removeprefix(module).strip(".")
    function = case.get("name", "").partition("[")[0]
    kinds = {child.tag for child in case}
    outcome: str = "failed" if kinds & {"failure", "error"} else "skipped" if "skipped" in kinds else "passed"
    return OwnTest.model_validate(
        {"file": file, "name": f"{inner}.{function}".strip("."), "outcome": outcome}
    )
