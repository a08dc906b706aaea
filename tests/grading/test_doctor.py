"""What the doctor says of machines that lack something, each made by taking it away."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from chaos.sandbox.bubblewrap import find_bubblewrap
from chaos.sandbox.probe import sandbox_refusal
from grading.runtime import RuntimeName
from grading.runtimes import choose_runtime

pytestmark = pytest.mark.medium

NOWHERE = {"DOCKER_HOST": "unix:///nonexistent.sock"}
needs_sandbox = pytest.mark.skipif(bool(sandbox_refusal()), reason="no box can be made here")


def doctor(
    variables: Mapping[str, str] | None = None, *, before: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*before, sys.executable, "-m", "grading", "doctor"],
        env={**os.environ, **(variables or {})},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def lines(ended: subprocess.CompletedProcess[str]) -> dict[str, str]:
    """Return what is said of each thing, with its mark."""
    assert "Traceback" not in ended.stderr, ended.stderr
    found = {}
    for line in ended.stdout.splitlines():
        if line[:1] in "✓○✗":
            mark, name, said = line.split(maxsplit=2)
            found[name] = f"{mark} {said}"
    return found


def test_each_thing_has_its_line() -> None:
    ended = doctor()

    assert ended.returncode == 0
    things = [
        "Python",
        "uv",
        "Node.js",
        "git",
        "sandbox",
        "Docker",
        "Toxiproxy",
        "disk",
        "cgroups",
        "processors",
    ]
    assert list(lines(ended)) == things


def test_a_docker_client_without_an_engine_is_no_engine() -> None:
    ended = doctor(NOWHERE)

    assert ended.returncode == 0
    assert lines(ended)["Docker"].startswith("○ no engine")
    assert "only --runtime docker needs it" in lines(ended)["Docker"]


def test_an_engine_elsewhere_is_none() -> None:
    assert "has to be on this machine" in lines(doctor({"DOCKER_HOST": "tcp://192.0.2.1:2375"}))["Docker"]


def test_without_uv_nothing_can_be_graded(tmp_path: Path) -> None:
    bare = tmp_path / "python"
    bare.symlink_to(sys.executable)
    paths = os.pathsep.join(path for path in sys.path if path)
    ended = subprocess.run(
        [bare, "-m", "grading", "doctor"],
        env={"PATH": "/nowhere", "PYTHONPATH": paths, "HOME": str(tmp_path), **NOWHERE},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert ended.returncode == 3
    assert lines(ended)["uv"].startswith("✗ none; uv is not installed; see https://")
    assert "No submission can be graded here" in ended.stdout


@needs_sandbox
def test_a_user_who_may_make_no_namespaces_is_told_so() -> None:
    ended = doctor(NOWHERE, before=_without_namespaces())

    assert ended.returncode == 0
    said = lines(ended)["sandbox"]
    assert said.startswith("○ none, because bubblewrap may make no box for this user")
    assert "--runtime docker" in said
    assert "not for submissions that nobody has read" in ended.stdout


@needs_sandbox
def test_the_box_is_taken_where_it_can_be_made_and_the_report_says_otherwise_why() -> None:
    source = (
        "from grading.runtimes import choose_runtime; one = choose_runtime(None); print(one.name, one.note)"
    )
    without = subprocess.run(
        [*_without_namespaces(), sys.executable, "-c", source],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    assert without.stdout.startswith("process Graded without a sandbox, because bubblewrap may make no box")
    assert "only for yourself" in without.stdout
    assert choose_runtime(None).name is RuntimeName.SANDBOX
    assert choose_runtime(None).note == ""


def test_processes_that_were_chosen_are_no_grade_either() -> None:
    assert "only for yourself" in choose_runtime(RuntimeName.PROCESS).note


def _without_namespaces() -> tuple[str, ...]:
    """Return words to run a command in a user namespace that allows no further ones, and that is like this machine else."""
    return (str(find_bubblewrap()), "--unshare-user", "--disable-userns", "--dev-bind", "/", "/", "--")
