"""Which lines of a service of Node.js its tests run: the commands, and real runs by Node's own runner."""

import os
import shutil
import sys
from pathlib import Path

import pytest

from chaos.history import Covered
from chaos.own_tests.covered import measure_coverage
from chaos.own_tests.node import Runner
from chaos.own_tests.node_coverage import covering, is_source_of_node
from chaos.program import ProcessProgram
from chaos.recorder import Recorder

pytestmark = pytest.mark.medium

NODE = shutil.which("node")
needs_node = pytest.mark.skipif(NODE is None, reason="Node.js is not installed")

PRICE = """\
export function cost(tokens) {
  /* node:coverage ignore next 3 */
  if (tokens < 0) {
    throw new Error("negative");
  }
  return tokens;
}
"""
TEST = """\
import assert from "node:assert/strict";
import { test } from "node:test";
import { cost } from "../src/price.js";
test("cost", () => assert.equal(cost(3), 3));
test("wrong", () => assert.equal(cost(3), 4));
"""
PACKAGE = '{"type": "module", "scripts": {"test": "node --test"}}'


async def measured(root: Path, files: dict[str, str]) -> Covered:
    repository = root / "repository"
    for name, text in {"package.json": PACKAGE, **files}.items():
        path = repository / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    program = ProcessProgram(
        argv=lambda _host, _port: [],
        env=lambda _host, _port: {"PATH": os.environ["PATH"], "HOME": str(root)},
        python=Path(sys.executable),
        root=root,
        repository=repository,
        workdir=repository,
        package=repository,
    )
    return await measure_coverage(program, Recorder(), variables={})


@needs_node
async def test_lines_are_counted_whatever_is_marked(tmp_path: Path) -> None:
    files = {
        "src/price.js": PRICE,
        "src/never_imported.js": "export const value = 1;\n\n",
        "src/price.test.js": "",
        "src/types.d.ts": "",
        "vite.config.js": "",
        "tests/price.test.js": TEST,
    }
    seen = await measured(tmp_path, files)
    assert seen.problem == ""
    counted = {file.file: (file.executed, file.lines) for file in seen.files}
    assert counted == {"src/price.js": (5, 7), "src/never_imported.js": (0, 1)}


@needs_node
@pytest.mark.parametrize(
    ("files", "problem"),
    [
        (
            {"tests/a.test.js": "", "package.json": '{"scripts": {"test": "jest"}}'},
            "no report that could be read",
        ),
        ({}, "no file of tests"),
        ({"tests/a.test.js": "process.kill(process.ppid, 'SIGKILL');"}, "other lines were reported"),
        ({"package.json": '{"scripts": {"test": "true"}}'}, "does not run"),
    ],
)
async def test_what_tells_nothing(files: dict[str, str], problem: str, tmp_path: Path) -> None:
    seen = await measured(tmp_path, {"src/price.js": PRICE, **files})
    assert seen.files == ()
    assert problem in seen.problem


@pytest.mark.parametrize(
    ("name", "command", "covered"),
    [
        ("node", "node --test --test-coverage-exclude=src/**", ["--experimental-test-coverage", "--test-reporter=lcov"]),
        ("vitest", "vitest run", ["vitest run --run --coverage.enabled=true", "--coverage.reportsDirectory=DIR"]),
        ("jest", "jest --reporters=default", ["jest", "--coverageDirectory=DIR"]),
        ("mocha", "nyc --all mocha tests/a.test.js", ["c8 --reporter=lcovonly --reports-dir=DIR --check-coverage=false mocha"]),
        ("mocha", "node --enable-source-maps node_modules/mocha/bin/mocha.js", ["false node --enable-source-maps node_modules"]),
        ("mocha", "NODE_ENV=test mocha", ["NODE_ENV=test c8 --reporter"]),
    ],
)  # fmt: skip
def test_commands(name: str, command: str, covered: list[str]) -> None:
    made = covering(Runner(name, command), "DIR", "more.test.js", compiled=False)
    assert all(part in made for part in covered), made
    assert "exclude" not in made
    assert "nyc --all" not in made
    assert ("more.test.js" in made) == ("a.test.js" in command)


def test_what_a_loader_compiles_is_measured_by_c8_where_it_is_installed() -> None:
    runner = Runner("node", "node --import tsx --test")
    made = covering(runner, "DIR", "", compiled=True)
    c8, _, node = made.partition("; else ")
    assert c8.endswith("--check-coverage=false node --import tsx --test")
    assert "--experimental-test-coverage" in node


@needs_node
async def test_mocha_alone_cannot_tell(tmp_path: Path) -> None:
    files = {"package.json": '{"scripts": {"test": "mocha"}}', "src/price.js": PRICE, "tests/a.test.js": ""}
    assert "install c8 or nyc" in (await measured(tmp_path, files)).problem


@pytest.mark.parametrize("name", ["app.js", "app.mts", "pages.tsx"])
def test_sources(name: str) -> None:
    assert is_source_of_node(Path(name))


@pytest.mark.parametrize("name", ["types.d.ts", "app.test.js", "jest.config.js", "README.md"])
def test_other_files(name: str) -> None:
    assert not is_source_of_node(Path(name))
