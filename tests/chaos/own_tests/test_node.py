"""A submission's own tests by Node.js: which runner, and real runs of Node's own."""

import json
import shutil
import sys
import time
from pathlib import Path

import pytest

from chaos.history import OwnTests
from chaos.own_tests.node import find_runner, parse, run_node_tests
from chaos.own_tests.node_coverage import covering
from chaos.program import ProcessProgram
from chaos.recorder import Recorder

pytestmark = pytest.mark.medium

NODE = shutil.which("node")
needs_node = pytest.mark.skipif(NODE is None, reason="Node.js is not installed")

HONEST = """
import assert from "node:assert/strict";
import { describe, it, test } from "node:test";
test("works", () => assert.equal(1 + 1, 2));
test("fails", () => assert.equal(1 + 1, 3));
describe("group", () => {
  it("works inside", () => assert.ok(process.cwd()));
  it.skip("later", () => {});
});
"""


@pytest.mark.parametrize(
    ("scripts", "name", "command"),
    [
        ({"test": "node --test"}, "node", "node --test"),
        ({"test": "node --import tsx --test tests/*.ts"}, "node", "node --import tsx --test tests/*.ts"),
        ({"test": "c8 node --test tests/"}, "node", "c8 node --test tests/"),
        ({"test": "tsx --test"}, "node", "tsx --test"),
        ({"test": "eslint . && vitest run"}, "vitest", "vitest run"),
        ({"test": "jest --coverage"}, "jest", "jest --coverage"),
        ({"test": "node --experimental-vm-modules node_modules/jest/bin/jest.js"}, "jest", None),
        ({"test": "npm run unit", "unit": "mocha"}, "mocha", "mocha"),
        ({"test": "npm run unit -- --bail", "unit": "mocha"}, "mocha", "mocha --bail"),
        ({"test": "NODE_ENV=test npm run unit", "unit": "jest"}, "jest", "NODE_ENV=test jest"),
        ({"test": "npm run lint && npm run unit", "lint": "eslint .", "unit": "jest"}, "jest", "jest"),
    ],
)
def test_runners(scripts: dict[str, str], name: str, command: str | None) -> None:
    found = find_runner(scripts)
    assert found is not None
    assert (found.name, found.command) == (name, command or scripts["test"])


@pytest.mark.parametrize(
    "scripts",
    [
        {},
        {"test": 'echo "Error: no test specified" && exit 1'},
        {"test": "node tests.js"},
        {"test": "npm test"},
        {"test": "npm run unit"},
        {"test": "eslint --config jest.config.js"},
    ],
)
def test_no_known_runner(scripts: dict[str, str]) -> None:
    assert find_runner(scripts) is None


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(f"a{' ' * 40_000}b", id="blanks"),
        pytest.param("node " * 8_000, id="words"),
        pytest.param("a=" * 20_000, id="variables"),
        pytest.param("npm test -- " + "node " * 300, id="words that are passed on"),
        pytest.param("npm test; " * 150, id="a script that runs itself"),
        pytest.param("node_modules/" * 150 + " mocha", id="folders"),
    ],
)
def test_scripts_are_read_in_no_time(script: str) -> None:
    began = time.process_time()
    runner = find_runner({"test": script})
    if runner:
        runner.reporting("reporter", "report", "more")
        covering(runner, "folder", "more", compiled=True)
    assert time.process_time() - began < 0.5


@pytest.mark.parametrize(
    ("command", "reporting"),
    [
        ("c8 node --test tests/", "c8 node --test-reporter=R --test-reporter-destination=O --test tests/ M"),
        ("node --test --test-reporter=spec", "node --test-reporter=R --test-reporter-destination=O --test"),
        ("vitest run --reporter verbose", "vitest run --run --reporter=json --outputFile=O"),
        ("jest --reporters=default", "jest --ci --json --outputFile=O"),
        (
            "jest --config tests/jest.config.js",
            "jest --config tests/jest.config.js --ci --json --outputFile=O",
        ),
        ("vitest run 'src/x.test.ts'", "vitest run 'src/x.test.ts' M --run --reporter=json --outputFile=O"),
        ("mocha --reporter dot", "mocha --reporter json --reporter-option output=O"),
    ],
)
def test_reports(command: str, reporting: str) -> None:
    found = find_runner({"test": command})
    assert found
    assert found.reporting("R", "O", "M").split() == reporting.split()


def program(root: Path, files: dict[str, str], script: str = "node --test") -> ProcessProgram:
    repository = root / "repository"
    for name, text in (
        files | {"package.json": json.dumps({"type": "module", "scripts": {"test": script}})}
    ).items():
        (repository / name).parent.mkdir(parents=True, exist_ok=True)
        (repository / name).write_text(text)
    assert NODE
    return ProcessProgram(
        argv=lambda _host, _port: [],
        env=lambda _host, _port: {"PATH": f"{Path(NODE).parent}:/usr/bin:/bin", "HOME": str(root)},
        python=Path(sys.executable),
        root=root,
        repository=repository,
        workdir=repository,
        package=repository,
    )


async def run(root: Path, files: dict[str, str], script: str = "node --test") -> OwnTests:
    own = program(root, files, script)
    return await run_node_tests(own, own.repository, Recorder(), variables={})


@needs_node
@pytest.mark.parametrize(
    "script",
    [
        "node --test",
        "node --test tests/*.test.js",
        "node --test ./tests/a.test.js",
        "echo begun && node --test || true",
    ],
)
async def test_tests_of_node_are_counted(tmp_path: Path, script: str) -> None:
    seen = await run(tmp_path, {"tests/a.test.js": HONEST}, script)
    assert seen.problem == ""
    ended = {case.name: case.outcome for case in seen.cases}
    assert ended == {"works": "passed", "fails": "failed", "works inside": "passed", "later": "skipped"}
    assert {case.file for case in seen.cases} == {"tests/a.test.js"}
    assert [
        path.name for path in (tmp_path / "repository" / "tests").iterdir() if "probe" not in path.name
    ] == ["a.test.js"]


@needs_node
async def test_files_in_a_folder_of_tests_need_no_ending_of_their_own(tmp_path: Path) -> None:
    seen = await run(tmp_path, {"test/a.js": HONEST, "src/a.js": ""})
    assert seen.problem == ""
    assert {case.file for case in seen.cases} == {"test/a.js"}
    assert len(seen.cases) == 4


WRITES_THE_REPORT = """
import fs from "node:fs";
import test from "node:test";
test("works", () => {});
const words = fs.readFileSync(`/proc/${process.ppid}/cmdline`, "utf8").split("\\0");
const to = words.find((one) => one.startsWith("--test-reporter-destination=")).split("=")[1];
setInterval(() => fs.writeFileSync(to, '{"file": "tests/a.test.js", "name": "works", "outcome": "passed"}\\n'), 5).unref();
process.on("exit", () => process.kill(process.ppid, "SIGKILL"));
"""


@needs_node
async def test_a_report_that_a_test_has_written_is_none(tmp_path: Path) -> None:
    seen = await run(tmp_path, {"tests/a.test.js": WRITES_THE_REPORT})
    assert seen.problem
    assert seen.cases == ()


@needs_node
async def test_a_file_that_breaks_fails(tmp_path: Path) -> None:
    seen = await run(tmp_path, {"tests/a.test.js": "import './missing.js';"})
    assert [case.outcome for case in seen.cases] == ["failed"]


@needs_node
@pytest.mark.parametrize(
    ("files", "script", "problem"),
    [
        ({"tests/a.test.js": HONEST}, "node tests/a.test.js", "does not run"),
        ({"src/a.js": ""}, "node --test", "no file of tests"),
    ],
)
async def test_what_cannot_be_counted(
    tmp_path: Path, files: dict[str, str], script: str, problem: str
) -> None:
    seen = await run(tmp_path, files, script)
    assert problem in seen.problem
    assert seen.cases == ()


@pytest.mark.parametrize(
    ("runner", "report"),
    [
        ("node", "no JSON"),
        ("node", "[]"),
        ("node", '{"file": 1}'),
        ("jest", "[]"),
        ("vitest", '{"testResults": [{}]}'),
        ("mocha", '{"tests": 1}'),
        ("mocha", '{"tests": [], "failures": [[]], "pending": []}'),
    ],
)
def test_what_is_no_report(runner: str, report: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - any of them is the caller's one sentence
        parse(report.encode(), runner, "repository")
