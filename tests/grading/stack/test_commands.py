import os
import subprocess
import sys
from pathlib import Path

import pytest

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


def test_tasks_and_hand_tests_use_commands_that_exist() -> None:
    text = (ROOT / "mise.toml").read_text() + (ROOT / "Makefile.curl").read_text()
    listed = subprocess.run(
        [sys.executable, "-m", "grading", "--help"], capture_output=True, text=True, check=True
    ).stdout

    for command in ("score", "up", "down", "status", "logs", "token"):
        assert f"grading {command}" in text or f"$(GRADING) {command}" in text
        assert f" {command} " in listed
