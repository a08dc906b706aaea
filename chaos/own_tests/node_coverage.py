"""Measures which lines of a service of Node.js its tests run, by the coverage of the runner that runs them, as LCOV."""

import asyncio
import os
import re
import secrets
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final, Self

from chaos.files import replace_text
from chaos.own_tests.covered_lines import Lines, NotMeasuredError, missing_from, parse_lcov, read_report
from chaos.own_tests.measured import INSTANCE, end_of_tests
from chaos.own_tests.node import NODE, RUNNERS, TEST_FILE, Probes, Runner, find_runner, scripts_of, test_files
from chaos.program import Program
from chaos.recorder import Recorder
from chaos.service_files import file_among

MOST_BYTES: Final = 2**20
REPORT: Final = "lcov.info"
_SOURCE: Final = re.compile(r"(?<!\.d)\.[cm]?[jt]sx?$")
_CONFIGURATION: Final = re.compile(r"\.(?:config|conf|setup)\.")
_LEFT_OUT: Final = re.compile(r"node:coverage|(?:c8|v8|istanbul)(?= ignore)")
"""Begins the comments by which a line is not counted."""
_PROBE: Final = """\
// @ts-nocheck
function ran() {
  return 1;
}
function didNotRun() {
  const value = ran();
  return value;
}
globalThis.PROBE = [ran(), didNotRun];
"""
_COMPILED: Final = frozenset({".ts", ".mts", ".cts", ".tsx", ".jsx"})
_EVERY_SOURCE: Final = "'**/*.{js,mjs,cjs,ts,mts,cts,jsx,tsx}'"
_THRESHOLDS: Final = re.compile(r"--(?:experimental-test-coverage|test-coverage-\w+(?:=|\s+)\S+)")
_WRAPPED: Final = re.compile(r"(?:npx\s+)?\b(?:c8|nyc)\s+(?:--?\S+\s+)*(?=\S)")
_NEEDS: Final = {"vitest": "it needs @vitest/coverage-v8 or @vitest/coverage-istanbul"}
_MOCHA: Final = re.compile(
    r"(?:npx\s+|node\s+(?:--\S+\s+)*)?(?:(?<!\S)\S*node_modules/\S*)?\bmocha(?:\.m?js)?(?=\s|$)"
)
_NO_TOOL_FOUND: Final = 72
_NO_TOOL: Final = f"exit {_NO_TOOL_FOUND}"


@dataclass(frozen=True, slots=True)
class _Probe:
    """A module of the lab's beside the service's, of which one function runs, and a test that imports it."""

    module: Path
    test: Path

    @classmethod
    def beside(cls, package: Path, files: Sequence[Path], tests: Sequence[Path]) -> Self:
        module = file_among(files, f"probe{secrets.token_hex(6)}")
        assert module is not None
        return cls(module, package / Probes.beside(package, tests).path)

    def texts(self, runner: Runner) -> dict[Path, str]:
        """Return both files. The test may be a module or a script."""
        path = os.path.relpath(self.module, self.test.parent)
        module = f'"{path if path.startswith(".") else f"./{path}"}"'
        match runner.name:
            case "node":
                test = f'import("node:test").then(({{ test }}) => test("probe", () => import({module})));'
            case "vitest":
                test = f'import {{ test }} from "vitest"; test("probe", () => import({module}));'
            case _:
                either = f'typeof require === "function" ? require({module}) : import({module})'
                test = f'it("probe", async () => {{ await ({either}); }});'
        return {self.module: _PROBE, self.test: f"// @ts-nocheck\n{test}\n"}


def is_source_of_node(path: Path) -> bool:
    named_otherwise = TEST_FILE.fullmatch(path.name) or _CONFIGURATION.search(path.name)
    return bool(_SOURCE.search(path.name)) and not named_otherwise


async def measure_node(
    program: Program, recorder: Recorder, *, files: Sequence[Path], variables: Mapping[str, str]
) -> dict[str, Lines]:
    """Run the tests, and return the lines of these files. Raises NotMeasuredError."""
    package = program.package
    assert package is not None
    runner = find_runner(scripts_of(package))
    if runner is None:
        raise NotMeasuredError(f"the script `test` of package.json does not run {RUNNERS}")
    tests = await asyncio.to_thread(test_files, package)
    if not tests:
        raise NotMeasuredError("there is no file of tests, such as tests/chat.test.js")
    probe = _Probe.beside(package, files, tests)
    texts = await asyncio.to_thread(_prepare, program, files, probe.texts(runner))
    folder = program.root / f"coverage-{secrets.token_hex(6)}"
    folder.mkdir()
    folder.chmod(0o777)  # in a container the tests run under another user
    compiled = any(path.suffix in _COMPILED for path in files)
    rest = shlex.quote(str(probe.test.relative_to(package)))
    service = await program.run_shell(
        lambda seen: covering(runner, seen(folder), rest, compiled=compiled),
        {**variables, "CI": "1", "NO_COLOR": "1"},
        cwd=package,
        instance=INSTANCE,
        recorder=recorder,
    )
    exited = await end_of_tests(service)
    if exited.code == _NO_TOOL_FOUND:
        raise NotMeasuredError("mocha cannot say which lines it ran: install c8 or nyc")
    try:
        reported = await asyncio.to_thread(lambda: parse_lcov(read_report(program.root, folder / REPORT)))
    except ValueError as error:
        needs = f"; {_NEEDS[runner.name]}" if runner.name in _NEEDS else ""
        raise NotMeasuredError(f"{runner.name} wrote no coverage as LCOV: {error}{needs}") from None
    found = {_inside(program, package, file): lines for file, lines in reported.items()}
    probed = found.pop(probe.module.relative_to(program.repository).as_posix(), Lines())
    if not probed.missed or probed.missed == probed.countable:
        raise NotMeasuredError("of a module that the grader had added, other lines were reported than ran")
    found |= missing_from(found, texts)
    return {name: found[name] for name in texts}


def covering(runner: Runner, folder: str, more: str, *, compiled: bool) -> str:
    """Return the command that writes LCOV into a folder, both words of a shell.

    If it names files of tests, it runs those in the file `more` too. `compiled` says whether the service's files are not
    what Node.js runs: c8 knows the lines that these were made of, where it is installed, and Node.js does not always.
    """
    command = _THRESHOLDS.sub("", runner.silent(more))
    match runner.name:
        case "vitest":
            return (
                f"{command} --run --coverage.enabled=true --coverage.reporter=lcovonly --coverage.reportOnFailure=true"
                f" --coverage.reportsDirectory={folder} --coverage.include={_EVERY_SOURCE}"
            )
        case "jest":
            return (
                f"{command} --ci --coverage --coverageReporters=lcovonly --coverageDirectory={folder}"
                f" --coverageThreshold='{{}}' --collectCoverageFrom={_EVERY_SOURCE}"
            )
        case "mocha":
            nyc = _if_installed("nyc", _wrapped(_MOCHA, command, "nyc", f"--report-dir={folder}"), _NO_TOOL)
            return _if_installed("c8", _wrapped(_MOCHA, command, "c8", f"--reports-dir={folder}"), nyc)
    options = (
        f" --experimental-test-coverage --test-reporter=lcov --test-reporter-destination={folder}/{REPORT}"
    )
    by_node = NODE.sub(lambda found: found["program"] + options, command, count=1)
    if not compiled:
        return by_node
    return _if_installed("c8", _wrapped(NODE, command, "c8", f"--reports-dir={folder}"), by_node)


def _wrapped(program: re.Pattern[str], command: str, tool: str, place: str) -> str:
    """Return a command whose program is run by c8 or nyc, and by none that it names itself."""
    measuring = f"{tool} --reporter=lcovonly {place} --check-coverage=false"
    return program.sub(lambda found: f"{measuring} {found[0]}", _WRAPPED.sub("", command), count=1)


def _if_installed(tool: str, command: str, otherwise: str) -> str:
    return f"if command -v {tool} >/dev/null 2>&1; then {command}; else {otherwise}; fi"


def _prepare(program: Program, files: Sequence[Path], probes: Mapping[Path, str]) -> dict[str, str]:
    """Write the lab's files, and take out comments that leave lines out. Returns the texts of the service's files, by name."""
    texts = {}
    try:
        for path in files:
            if path.stat().st_size > MOST_BYTES:
                continue
            text = path.read_text(encoding="utf-8", errors="replace")
            texts[path.relative_to(program.repository).as_posix()] = text
            if (counted := _LEFT_OUT.sub("counted", text)) != text:
                replace_text(program.root, path.relative_to(program.root), counted)
        for path, text in probes.items():
            replace_text(program.root, path.relative_to(program.root), text)
    except OSError as error:
        raise NotMeasuredError(f"no file can be written beside the others ({error.strerror})") from None
    return texts


def _inside(program: Program, package: Path, file: str) -> str:
    """Return the name of a file, as a report has it, relative to the repository."""
    if PurePosixPath(file).is_absolute():
        _, _, inner = file.partition(f"/{program.repository.name}/")
        return inner
    place = package.relative_to(program.repository).as_posix()
    return os.path.normpath(f"{place}/{file}")
