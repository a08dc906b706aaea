"""Runs a submission's own tests and records how each ended.

Tests are code of the submission's, in a process of its own: what pytest reports there is not proof. Two tests of the
lab's, one that passes and one that fails, under names that nobody could know, show whether results come through as
they are. What else can be done to a report is looked for in the submission's files (`lab.own_tests`).
"""

import asyncio
import json
import re
import secrets
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from xml.etree import ElementTree as ET

from chaos.files import read_plain, replace_text
from chaos.history import History, Log, OwnTest, OwnTests
from chaos.own_tests import own_tests_runner
from chaos.own_tests.node import run_node_tests
from chaos.program import Program
from chaos.recorder import Recorder

FOLDER = "tests"
SECONDS = 60.0
SECONDS_PER_FAULT = 20.0
REPORT_BYTES = 2 * 2**20
CODES_BYTES = 4096
SOME_FAILED = 1
"""The exit code of pytest when tests failed, as one of the lab's own does."""
ERROR = re.compile(r"^E   |^INTERNALERROR> \w*(?:Error|Exception)|\berror: ")
"""A line of pytest's output that says what is wrong with its options, a conftest.py or a plugin."""
ERROR_CHARACTERS = 200
RUNNER = Path(own_tests_runner.__file__)


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

    def write(self, program: Program) -> None:
        """Write them beside the submission's tests."""
        folder = program.repository.relative_to(program.root) / FOLDER
        text = f"def {self.passes}():\n    pass\n\n\ndef {self.fails}():\n    raise AssertionError\n"
        replace_text(program.root, folder / f"{self.module}.py", text)

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
    faults: Sequence[str] = ("",),
) -> tuple[OwnTests, ...]:
    """Run what is in `tests/` with these variables, once for each fault, and record how each run went.

    An empty fault is the service as it is. `plugin` is a Python file that puts the others into the service:
    `chaos/own_tests/own_tests_runner.py` says how. Its packages are imported once for all runs. The tests of a service of
    Node.js are those of its package.json, and no plugin reaches them.
    """
    if program.package is not None and plugin is None:
        return (await run_node_tests(program, program.package, recorder, variables=variables),)
    if not (program.repository / FOLDER).is_dir():
        return _record(recorder, faults, f"there is no folder {FOLDER}/")
    probes = Probes.draw()
    folder = await asyncio.to_thread(_prepare, program, probes, plugin)
    service = await program.run_python(
        # -E: what variables put before all modules, the submission's command may set.
        ["-E", folder / RUNNER.name, folder, folder / plugin.name if plugin else "", *faults],
        {**variables, "PYTHONDONTWRITEBYTECODE": "1"},
        instance="own tests",
        recorder=recorder,
    )
    seconds = SECONDS + SECONDS_PER_FAULT * (len(faults) - 1)
    async with service:
        exited = await service.wait_exit(seconds)
    probes.remove(program.repository / FOLDER)
    if exited is None:
        return _record(recorder, faults, f"the tests took longer than {seconds:.0f} s")
    if exited.cause:
        return _record(recorder, faults, f"the tests were ended by the grader: they {exited.cause}")
    if exited.code == own_tests_runner.NO_PYTEST:
        problem = "pytest is not installed: declare it in the group `dev` of pyproject.toml"
        return _record(recorder, faults, problem)
    codes = read_codes(program.root, folder / "codes.json", len(faults))
    runs = []
    for number, (fault, code) in enumerate(zip(faults, codes, strict=True)):
        if code == SOME_FAILED:
            cases, problem = _read(program.root, folder / f"{number}.xml", probes)
            runs.append(recorder.record(OwnTests(fault=fault, cases=cases, problem=problem)))
        else:
            expected = f", and not with {SOME_FAILED}, though one test of the grader's fails"
            problem = ended_otherwise(code, recorder.history(), expected)
            runs.append(recorder.record(OwnTests(fault=fault, problem=problem)))
    return tuple(runs)


def ended_otherwise(code: int | None, history: History, expected: str = "") -> str:
    """Say how pytest ended and what its last error was, if it said one."""
    said = "no exit code" if code is None else f"exit code {code}"
    problem = f"pytest ended with {said}{expected}"
    errors = [line.text.strip() for line in history.of(Log) if ERROR.search(line.text)]
    return f"{problem}: {errors[-1][:ERROR_CHARACTERS]}" if errors else problem


def _record(recorder: Recorder, faults: Sequence[str], problem: str) -> tuple[OwnTests, ...]:
    return tuple(recorder.record(OwnTests(fault=fault, problem=problem)) for fault in faults)


def _prepare(program: Program, probes: Probes, plugin: Path | None) -> Path:
    """Write what the run needs; returns the folder in which its reports are going to be."""
    probes.write(program)
    folder = program.root / f"own-tests-{secrets.token_hex(6)}"
    folder.mkdir()
    folder.chmod(0o777)  # in a container the tests run under another user
    for file in (RUNNER, *([plugin] if plugin else [])):
        shutil.copyfile(file, folder / file.name)
    return folder


def read_codes(root: Path, file: Path, count: int) -> list[int | None]:
    """Return the exit codes of the runs, as the runner wrote them; None for what is none."""
    try:
        if (content := read_plain(root, file.relative_to(root), CODES_BYTES)) is None:
            return [None] * count
        codes = json.loads(content.decode("utf-8"))
    except (OSError, ValueError, RecursionError):
        return [None] * count
    if not isinstance(codes, list) or len(codes) != count:
        return [None] * count
    return [code if isinstance(code, int) else None for code in codes]


def _read(root: Path, report: Path, probes: Probes) -> tuple[tuple[OwnTest, ...], str]:
    """Return the tests in a report, without the lab's own, or why it cannot be taken for one."""
    try:
        if (content := read_plain(root, report.relative_to(root), REPORT_BYTES)) is None:
            return (), "pytest wrote no report that could be read"
        cases = parse(content)
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
