import subprocess
import sys
from pathlib import Path

import pytest

from grading.calibrate.outcome import Journal

pytestmark = pytest.mark.medium


def calibrate(*words: str | Path, timeout: float = 60) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "grading", "calibrate", *map(str, words)]
    return subprocess.run(argv, capture_output=True, text=True, timeout=timeout, check=False)


def test_a_case_that_there_is_not_is_wrong_use(tmp_path: Path) -> None:
    ended = calibrate("--only", "no-such-mutant", "--out", tmp_path)

    assert ended.returncode == 2
    assert "There is no case no-such-mutant." in ended.stderr


def test_a_sample_of_nothing_prints_what_is_known(tmp_path: Path) -> None:
    ended = calibrate("--sample", "0", "--out", tmp_path)

    assert ended.returncode == 0
    assert ended.stdout.startswith("case ")
    assert list(tmp_path.iterdir()) == []


def test_a_mutant_is_left_out_where_it_has_no_effect(tmp_path: Path) -> None:
    ended = calibrate("--only", "forked-helper-outlives", "--runtime", "sandbox", "--out", tmp_path)

    assert ended.returncode == 0
    assert "forked-helper-outlives is left out: it has no effect in the runtime sandbox." in ended.stderr
    assert list(tmp_path.iterdir()) == []


def test_mutants_made_by_machine_are_a_corpus_of_their_own(tmp_path: Path) -> None:
    none = calibrate("--generated", "--sample", "0", "--out", tmp_path)
    other = calibrate("--generated", "--only", "reference", "--out", tmp_path)

    assert none.returncode == 0
    assert other.returncode == 2
    assert "There is no case reference." in other.stderr


@pytest.mark.slow
def test_a_mutant_made_by_machine_is_graded_in_its_exercises(tmp_path: Path) -> None:
    words = ("--generated", "--only", "env.example-lacks.QDRANT_URL", "--out", tmp_path)

    ended = calibrate(*words, timeout=300)

    assert ended.returncode == 0, ended.stdout
    [outcome] = Journal(tmp_path / "generated" / "outcomes.jsonl").outcomes
    assert outcome.exercises == {1}
    assert ended.stdout.startswith("caught")


@pytest.mark.slow
def test_a_mutant_is_graded_once_and_then_known(tmp_path: Path) -> None:
    words = ("--only", "env-example-lacks-a-variable", "--quick", "--out", tmp_path)

    first = calibrate(*words, timeout=300)
    again = calibrate(*words)

    assert (first.returncode, again.returncode) == (0, 0), first.stdout
    [outcome] = Journal(tmp_path / "outcomes.jsonl").outcomes
    assert outcome.case == "env-example-lacks-a-variable"
    assert outcome.exercises == {1}
    assert outcome.verdicts["1.7"] == "failed"
    assert again.stdout == first.stdout
    assert "running" not in again.stderr
