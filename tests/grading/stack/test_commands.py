import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.core import TyperGroup

from grading.cli import app

ROOT = Path(__file__).parents[3]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """One in which nobody has a stack, of processes or in containers."""
    nowhere = f"unix://{tmp_path}/no.sock"
    return {**os.environ, "GRADING_CACHE": str(tmp_path / "cache"), "DOCKER_HOST": nowhere}


def grading(environment: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "grading", *words],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["status"], 1, "No stack is up."),
        (["down"], 0, "No stack is up."),
        (["token"], 1, "No stack is up"),
        (["logs"], 1, "There is no log"),
        (["up", "/no/such/folder"], 2, "There is no folder /no/such/folder"),
    ],
)
def test_without_a_stack_each_command_says_so_in_a_sentence(
    environment: dict[str, str], words: list[str], code: int, sentence: str
) -> None:
    ended = grading(environment, *words)

    assert ended.returncode == code
    assert sentence in ended.stdout + ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("file", ["mise.toml", "Makefile.curl"])
def test_tasks_and_hand_tests_call_the_grader_in_words_that_it_knows(file: str) -> None:
    text = (ROOT / file).read_text().replace("$(PORT)", "8000")
    calls = re.findall(r"""(?:= "uv run grading|\$\(GRADING\)) ([^;|&)"\n]+)""", text)
    group = typer.main.get_command(app)
    assert isinstance(group, TyperGroup)

    assert len(calls) > 5
    for name, *words in map(shlex.split, calls):
        group.commands[name].make_context(name, words)  # raises what wrong use is told with
