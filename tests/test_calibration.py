"""A sample of the calibration: a mutant of each exercise, another's solution and a half one."""

import subprocess
import sys
from pathlib import Path

import pytest

from grading.calibrate.corpus import Corpus, sample
from tests.exam import EXAM

CASES = 8


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.usefixtures("grading_slot")
def test_every_verdict_on_a_sample_of_the_corpus_is_the_expected_one(tmp_path: Path) -> None:
    # The reference solution, which comes first, is graded by test_whole_exam.py.
    chosen = [word for case in sample(Corpus.of(EXAM).cases()[1:], CASES) for word in ("--only", case.name)]
    # One at a time: the tests beside this one have a grading of their own, and three are too many for two processors.
    words = ["calibrate", "--quick", "--jobs", "1", *chosen, "--out", str(tmp_path)]
    ended = subprocess.run(
        [sys.executable, "-m", "grading", *words], capture_output=True, text=True, timeout=1200, check=False
    )

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert ended.stdout.count(" ok ") == CASES
