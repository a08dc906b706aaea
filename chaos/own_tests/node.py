"""Runs a submission's own tests by Node.js, and records how each ended.

The script `test` of its package.json names the runner: `node --test`, Vitest, Jest or Mocha, each of which can write a
report. What it says is trusted as far as pytest's is (`chaos.own_tests.run`): two tests of the lab's have to be in it.
"""

import asyncio
import json
import re
import secrets
import shlex
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import Any, Final, Self

from chaos.files import read_plain, replace_text
from chaos.history import Exited, OwnTest, OwnTests
from chaos.program import Program
from chaos.recorder import Recorder

SECONDS: Final = 60.0
REPORT_BYTES: Final = 8 * 2**20
REPORTER: Final = Path(__file__).with_name("node_tests_reporter.mjs")
RUNNERS: Final = "`node --test`, `vitest run`, `jest` or `mocha`"
TEST_FILE: Final = re.compile(r"(?:^|.*[.\-_])(?:test|spec)s?\.[cm]?[jt]sx?$")
_SCRIPT: Final = re.compile(r"(?<!\.d)\.[cm]?[jt]sx?$")
TEST_FOLDERS: Final = frozenset({"test", "tests", "__tests__", "spec"})
_NOT_LOOKED_AT: Final = frozenset({"node_modules", ".git", "dist", "build", "coverage"})
_SEGMENTS: Final = re.compile(r"\s*(?:&&|\|\||;)\s*")
_INNER: Final = re.compile(
    r"(?P<variables>(?:cross-env\s+)?(?:\w+=\S*\s+)*)(?:npm|yarn|pnpm)\s+(?:run(?:-script)?\s+)?(?P<name>[\w:.-]+)\s*(?:--\s*)?(?P<more>.*)"
)
NODE: Final = re.compile(r"(?<![\w./-])(?P<program>node|tsx)(?=\s(?:.*\s)?--test(?:[\s=]|$))")
_OTHERS: Final = {
    name: re.compile(
        rf"(?<![\w.-])(?:npx\s+)?(?:\./)?(?:node_modules/(?:\.bin/|{name}/(?:bin/)?))?{name}(?:\.m?js)?(?=\s|$)"
    )
    for name in ("vitest", "jest", "mocha")
}
_REPORTERS: Final = re.compile(
    r"--(?:test-)?reporter(?:-destination|-options?|s)?(?:=|\s+)\S+|--(?:outputFile|json)(?:=\S+)?(?=\s|$)"
)
_WITH_FILE: Final = frozenset(
    {"--config", "-c", "--require", "-r", "--import", "--file", "--setupFilesAfterEnv", "--root"}
)
_MOST_SCRIPTS: Final = 20
"""That one script leads to, and that are looked into."""
_SCRIPT_CHARACTERS: Final = 2_000
"""Of a command that is looked at: the patterns above take time by the square of its length."""


@dataclass(frozen=True, slots=True)
class Runner:
    """A known runner of tests, and the shell command by which the submission runs it."""

    name: str
    command: str

    def silent(self, more: str) -> str:
        """Return the command without its own reporters; if it names files of tests, it runs those in the file `more` too."""
        command = _REPORTERS.sub("", self.command)
        return f"{command} {more}" if _names_tests(command) else command

    def reporting(self, reporter: str, report: str, more: str) -> str:
        """Return the command that writes to the file `report`, all given as words of a shell.

        If it names files of tests, it runs those in the file `more` too.
        """
        command = self.silent(more)
        match self.name:
            case "node":
                options = f" --test-reporter={reporter} --test-reporter-destination={report}"
                return NODE.sub(lambda found: found["program"] + options, command, count=1)
            case "vitest":
                return f"{command} --run --reporter=json --outputFile={report}"
            case "jest":
                return f"{command} --ci --json --outputFile={report}"
            case _:
                return f"{command} --reporter json --reporter-option output={report}"


@dataclass(frozen=True, slots=True)
class Probes:
    """The lab's own two tests, in a file beside those of the submission's."""

    path: Path
    passes: str
    fails: str

    @classmethod
    def beside(cls, package: Path, tests: Sequence[Path]) -> Self:
        """Return tests with new names, in a file that whatever finds the first of `tests` finds too."""
        first = tests[0]
        ending = re.search(r"([.\-_](?:test|spec)s?)?\.[cm]?[jt]sx?$", first.name)
        name = f"probe{secrets.token_hex(6)}{ending[0] if ending else '.test.js'}"
        return cls(
            first.relative_to(package).parent / name, *(f"probe {secrets.token_hex(6)}" for _ in range(2))
        )

    def text(self, runner: str) -> str:
        """Return the file. Tests of Node are imported so that it may be a module or a script."""
        tests = f'test("{self.passes}", () => {{}}); test("{self.fails}", () => {{ throw new Error("on purpose"); }});'
        match runner:
            case "node":
                return f'// @ts-nocheck\nimport("node:test").then(({{ test }}) => {{ {tests} }});\n'
            case "vitest":
                return f'// @ts-nocheck\nimport {{ test }} from "vitest";\n{tests}\n'
            case _:
                return f"// @ts-nocheck\n{tests}\n".replace("test(", "it(")

    def problem(self, cases: Sequence[OwnTest]) -> str:
        """Say what is wrong with results that hold these tests; an empty string where nothing is."""
        ended = {case.name: case.outcome for case in cases if self.is_in(case)}
        if ended == {self.passes: "passed", self.fails: "failed"}:
            return ""
        return "two tests that the grader had added, one that passes and one that fails, were not reported so"

    def is_in(self, case: OwnTest) -> bool:
        return PurePosixPath(case.file).name == self.path.name


async def run_node_tests(
    program: Program, package: Path, recorder: Recorder, *, variables: Mapping[str, str]
) -> OwnTests:
    """Run what the script `test` of the package.json in the folder `package` runs, and record how it went."""
    runner = find_runner(scripts_of(package))
    if runner is None:
        return _failed(recorder, f"the script `test` of package.json does not run {RUNNERS}")
    tests = await asyncio.to_thread(test_files, package)
    if not tests:
        return _failed(recorder, "there is no file of tests, such as tests/chat.test.js")
    probes = Probes.beside(package, tests)
    try:
        replace_text(program.root, package.relative_to(program.root) / probes.path, probes.text(runner.name))
    except OSError as error:
        return _failed(recorder, f"no test can be written beside {tests[0].name} ({error.strerror})")
    folder = program.root / f"own-tests-{secrets.token_hex(6)}"
    folder.mkdir()
    folder.chmod(0o777)  # in a container the tests run under another user
    shutil.copyfile(REPORTER, folder / REPORTER.name)
    report = folder / "report"
    service = await program.run_shell(
        lambda seen: runner.reporting(
            seen(folder / REPORTER.name), seen(report), shlex.quote(str(probes.path))
        ),
        {**variables, "CI": "1", "NO_COLOR": "1"},
        cwd=package,
        instance="own tests",
        recorder=recorder,
    )
    async with service:
        exited = await service.wait_exit(SECONDS)
    if problem := _problem(exited, runner):
        return _failed(recorder, problem)
    cases, problem = _read(report, runner.name, program, probes)
    return recorder.record(OwnTests(cases=cases, problem=problem))


def _problem(exited: Exited | None, runner: Runner) -> str:
    """Say why the end of a run is none whose report counts; an empty string where nothing is wrong."""
    if exited is None:
        return f"the tests took longer than {SECONDS:.0f} s"
    if exited.cause:
        return f"the tests were ended by the grader: they {exited.cause}"
    return f"{runner.name} ended with exit code 0, though one test fails" if exited.code == 0 else ""


def find_runner(scripts: Mapping[str, str]) -> Runner | None:
    """Return the first known runner that the script `test` leads to."""
    return _in_script(scripts, "test", "", set())


def _in_script(scripts: Mapping[str, str], name: str, more: str, seen: set[str]) -> Runner | None:
    """Return the first known runner that a script leads to, with the words `more`, if it is none of those in `seen`."""
    text = scripts.get(name, "")
    if len(text) > _SCRIPT_CHARACTERS or name in seen or len(seen) >= _MOST_SCRIPTS:
        return None
    seen.add(name)
    for segment in _SEGMENTS.split(text.strip()):
        command = f"{segment} {more}".strip()
        if len(command) > _SCRIPT_CHARACTERS:
            continue
        if inner := _INNER.fullmatch(segment):
            found = _in_script(scripts, inner["name"], f"{inner['more']} {more}".strip(), seen)
            if found:
                return Runner(found.name, inner["variables"] + found.command)
        elif NODE.search(command):
            return Runner("node", command)
        for runner, pattern in _OTHERS.items():
            if pattern.search(command):
                return Runner(runner, command)
    return None


def _names_tests(command: str) -> bool:
    """Whether a command names the files or folders of tests that it runs, and not all that there are."""
    words = command.replace("'", "").replace('"', "").split()
    for before, word in pairwise(words):
        path = PurePosixPath(word.removeprefix("./"))
        is_test = TEST_FILE.fullmatch(path.name) or TEST_FOLDERS.intersection(path.parts)
        if is_test and not word.startswith("-") and before not in _WITH_FILE:
            return True
    return False


def _failed(recorder: Recorder, problem: str) -> OwnTests:
    return recorder.record(OwnTests(problem=problem))


def scripts_of(package: Path) -> dict[str, str]:
    """Return the scripts of the package.json in a folder, by name; none where it cannot be read."""
    try:
        content = json.loads((package / "package.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    scripts = content.get("scripts") if isinstance(content, dict) else None
    return (
        {name: text for name, text in scripts.items() if isinstance(text, str)}
        if isinstance(scripts, dict)
        else {}
    )


def test_files(package: Path) -> list[Path]:
    """Return the files of a package that its tests are in, the outermost first: by their names, or else by their folders.

    Mocha and `node --test` run any script in a folder `test`, and Jest in `__tests__`, whatever its name.
    """
    scripts = sorted(_scripts_in(package), key=lambda one: (len(one.parts), one))
    named = [path for path in scripts if TEST_FILE.fullmatch(path.name)]
    return named or [
        path for path in scripts if TEST_FOLDERS.intersection(path.relative_to(package).parts[:-1])
    ]


def _scripts_in(package: Path) -> Iterator[Path]:
    """Yield the files of JavaScript or TypeScript in a package."""
    waiting = [package]
    while waiting:
        for path in sorted(waiting.pop().iterdir()):
            if path.is_symlink():
                continue
            if path.is_dir() and path.name not in _NOT_LOOKED_AT:
                waiting.append(path)
            elif path.is_file() and _SCRIPT.search(path.name):
                yield path


def _read(report: Path, runner: str, program: Program, probes: Probes) -> tuple[tuple[OwnTest, ...], str]:
    """Return the tests in a report, without the lab's own, or why it cannot be taken for one."""
    try:
        if (content := read_plain(program.root, report.relative_to(program.root), REPORT_BYTES)) is None:
            return (), f"{runner} wrote no report that could be read"
        cases = parse(content, runner, program.repository.name)
    except (OSError, ValueError, RecursionError) as error:
        return (), f"the report of {runner} cannot be read ({error})"
    problem = probes.problem(cases)
    return ((), problem) if problem else (tuple(case for case in cases if not probes.is_in(case)), "")


def parse(report: bytes, runner: str, root: str) -> tuple[OwnTest, ...]:
    """Return the tests in a report; their files are relative to the folder named `root`. Raises ValueError where it is none."""
    text = report.decode("utf-8")
    try:
        rows = list(
            _rows(
                [json.loads(line) for line in text.splitlines()] if runner == "node" else json.loads(text),
                runner,
            )
        )
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError("it has another form") from error
    return tuple(
        OwnTest.model_validate({"file": _within(file, root), "name": name, "outcome": outcome})
        for file, name, outcome in rows
    )


def _rows(content: Any, runner: str) -> Iterator[tuple[str, str, str]]:
    """Yield the file, the name and the outcome of each test."""
    match runner:
        case "node":
            yield from ((one["file"], one["name"], one["outcome"]) for one in content)
        case "mocha":
            left = {_mocha_key(one) for one in content["pending"]}
            broken = {_mocha_key(one) for one in content["failures"]}
            for one in content["tests"]:
                key = _mocha_key(one)
                yield (
                    one.get("file") or "",
                    one["title"],
                    "skipped" if key in left else "failed" if key in broken else "passed",
                )
        case _:
            for suite in content["testResults"]:
                for one in suite["assertionResults"]:
                    outcome = one["status"] if one["status"] in {"passed", "failed"} else "skipped"
                    yield suite["name"], one["title"], outcome
                if suite["status"] == "failed" and not suite["assertionResults"]:
                    yield suite["name"], PurePosixPath(suite["name"]).name, "failed"


def _mocha_key(one: Mapping[str, Any]) -> tuple[str, str]:
    return one.get("file") or "", one["fullTitle"]


def _within(file: str, root: str) -> str:
    _, found, inner = file.partition(f"/{root}/")
    return inner if found else file
