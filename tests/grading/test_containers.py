"""Grading in containers, on a real engine: the same verdicts, nothing left behind, and failed builds told."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from grading.calibrate.corpus import ROOT, Corpus
from grading.containers import LABEL
from tests.docker import PYTHON, docker
from tests.exam import EXAM

pytestmark = pytest.mark.slow
needs_docker = pytest.mark.usefixtures("container_runtime")
TIMEOUT = 900


def grading(*words: str | Path) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "grading", "score", "--runtime", "docker", *map(str, words)]
    return subprocess.run(argv, capture_output=True, text=True, timeout=TIMEOUT, check=False)


def verdicts(report: dict[str, Any]) -> dict[str, str]:
    return {one["number"]: one["status"] for one in criteria(report)}


def criteria(report: dict[str, Any]) -> list[dict[str, Any]]:
    return [one for part in report["exercises"] for one in part["criteria"]]


def marked(folder: Path) -> list[str]:
    """Return the marks of containers and networks of runs whose temporary folder this is."""
    found: list[str] = []
    for words in (["ps", "--all"], ["network", "ls"]):
        listed = docker(*words, "--filter", f"label={LABEL}", "--format", f'{{{{.Label "{LABEL}"}}}}')
        assert not listed.returncode, listed.stderr
        found += [mark for mark in listed.stdout.splitlines() if mark.startswith(str(folder))]
    return found


@needs_docker
@pytest.mark.long
def test_the_reference_solution_is_complete_in_containers_too() -> None:
    ended = grading(ROOT, "--format", "json")

    [report] = json.loads(ended.stdout)
    assert [one for one in criteria(report) if one["status"] != "passed"] == []
    assert report["fault_proxy"].endswith("in containers")


@needs_docker
@pytest.mark.long
@pytest.mark.parametrize("name", ["drain-without-bound", "pending-traces-die"])
def test_a_mutant_is_caught_in_containers_too(name: str, tmp_path: Path) -> None:
    [mutant] = [case for case in Corpus.of(EXAM).cases() if case.name == name]
    mutant.write(tmp_path)

    [report] = json.loads(grading(tmp_path, "-e", "2", "--format", "json").stdout)

    assert {number for number, status in verdicts(report).items() if status == "failed"} == mutant.fails


@needs_docker
def test_what_a_killed_run_has_left_is_removed_by_the_next(tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "grading", "score", "--runtime", "docker", str(ROOT), "-e", "2"]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        argv, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as killed:
        assert killed.stderr
        for line in _until(killed.stderr, ": running"):
            assert "cannot" not in line
        killed.send_signal(signal.SIGSTOP)  # from here on it can remove nothing
        left = marked(tmp_path)
        killed.kill()
    assert len(left) > 1

    # The next run may be of anything; this one has little to do.
    assert grading(ROOT / "exercises/week1/solution", "-a", "week1", "-e", "5").returncode == 0

    assert marked(tmp_path) == []


@needs_docker
def test_a_dockerfile_that_cannot_be_built_is_the_submissions_failure(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "src", tmp_path / "src")
    for name in ("pyproject.toml", "uv.lock"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "src/api/Dockerfile").write_text(
        f"FROM {PYTHON}\nWORKDIR /app\nCOPY . .\nRUN echo this-is-why && exit 3\n"
        "CMD uvicorn api.main:app --app-dir src\n"
    )

    ended = grading(tmp_path, "-e", "1")

    assert ended.returncode == 1
    assert "src/api/Dockerfile cannot be built" in ended.stdout
    assert "this-is-why" in ended.stdout


def test_an_engine_that_does_not_answer_is_the_machines_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent/docker.sock")

    ended = grading(ROOT, "-e", "1")

    assert ended.returncode == 3
    assert "docker info" in ended.stdout + ended.stderr
    assert "Traceback" not in ended.stderr


def _until(lines: Iterator[str], text: str) -> Iterator[str]:
    for line in lines:
        yield line
        if text in line:
            return
