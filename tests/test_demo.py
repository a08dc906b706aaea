"""The lesson of docs/DEMO.md, word for word: its commands in its order, and what it says they show."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest

from grading.stack import control
from grading.stack.files import StackFiles
from grading.stack.ports import url
from tests.demo_page import INTERRUPT, Step, steps
from tests.grading.stack.support import free_ports

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "DEMO.md"
PATIENCE = 90.0

# What `grading up --local` is on the page, on ports that nobody else has.
GRADING = """#!{python}
import sys
from exercises.catalogue import assessment
from grading.cli import main
from grading.stack import commands, control
from grading.stack.files import StackFiles
from grading.stack.ports import Ports
if sys.argv[1:2] == ["up"]:
    control.up({root!r}, assessment().contract, Ports(**{ports!r}), StackFiles(), print)
    sys.argv[1:] = ["status"]
main()
"""

pytestmark = [pytest.mark.slow, pytest.mark.long]


class Terminal:
    """Where commands run one after the other; what they print is in a file, and read from `seen` on."""

    def __init__(self, folder: Path, name: str, environment: dict[str, str]) -> None:
        self.log = folder / f"{name}.txt"
        self.log.touch()
        self.seen = 0
        self.process: subprocess.Popen[bytes] | None = None
        self._environment = environment

    def run(self, command: str) -> None:
        if self.process:
            self.process.wait(PATIENCE)
        self.seen = len(self.output)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                ["bash", "-c", command],
                cwd=ROOT,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def signal(self, number: signal.Signals) -> None:
        assert self.process
        if self.process.poll() is None:
            os.killpg(self.process.pid, number)

    def expect(self, step: Step) -> None:
        """Wait until what is printed is as the page has it."""
        deadline = time.monotonic() + PATIENCE
        if step.skips:
            self.seen = len(self.output)
        while True:
            ended = self.process is None or self.process.poll() is not None
            output = self.output + "\n" * ended
            if found := step.pattern.match(output, self.seen):
                break
            assert not ended, self._otherwise(step)
            assert time.monotonic() < deadline, self._otherwise(step)
            time.sleep(0.1)
        self.seen = found.end()

    def _otherwise(self, step: Step) -> str:
        expected = "\n".join(step.expected)
        return f"{PAGE.name}, line {step.line}: not\n{expected}\nbut\n{self.output[self.seen :]}"

    @property
    def output(self) -> str:
        return self.log.read_text(errors="replace")


@pytest.fixture
def terminals(tmp_path: Path) -> Iterator[dict[str, Terminal]]:
    ports = free_ports()
    programs = tmp_path / "bin"
    programs.mkdir()
    grading = programs / "grading"
    grading.write_text(GRADING.format(python=sys.executable, root=str(ROOT), ports=asdict(ports)))
    grading.chmod(0o755)
    cache = tmp_path / "cache"
    environment = {
        **os.environ,
        "PATH": f"{programs}:{ROOT / '.venv' / 'bin'}:{os.environ['PATH']}",
        "GRADING_CACHE": str(cache),
        "CHAOS_FAULTS": url(ports.control),
        "CHAOS_API": url(ports.service),
        "CHAOS_MODEL": url(ports.upstreams["litellm"][1]),
        "DOCKER_HOST": f"unix://{tmp_path}/no-docker",  # another stack may run in containers
        "API": f"127.0.0.1:{ports.service}",
    }
    names = {step.terminal for step in steps(PAGE.read_text())}
    made = {name: Terminal(tmp_path, name, environment) for name in names}
    yield made
    for terminal in made.values():
        if terminal.process:
            terminal.signal(signal.SIGINT)
            terminal.process.wait(20)
    control.down(StackFiles(cache / "stack"))


def test_the_lesson_shows_what_its_page_says(terminals: dict[str, Terminal]) -> None:
    for step in steps(PAGE.read_text()):
        terminal = terminals[step.terminal]
        if step.do == INTERRUPT:
            terminal.signal(signal.SIGINT)
        elif step.do:
            terminal.run(step.do.replace("localhost:8000", "$API"))
        terminal.expect(step)

    for terminal in terminals.values():
        assert terminal.process
        assert terminal.process.wait(20) in {0, 130}
        assert "Traceback" not in terminal.output
