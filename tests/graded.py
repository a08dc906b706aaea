"""Grades a repository by the command line, as a student does."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any


def graded(repository: Path, *options: str, judged: bool = True) -> dict[str, Any]:
    """Return the report of a grading run. `judged`: nothing may be open for the grader's or the machine's doing."""
    words = [
        sys.executable,
        "-m",
        "grading",
        "score",
        str(repository),
        "--runtime",
        "process",
        "--format",
        "json",
        *options,
    ]
    ended = subprocess.run(words, capture_output=True, text=True, timeout=600, check=False)
    assert ended.returncode in {0, 1}, ended.stderr
    reports: list[dict[str, Any]] = json.loads(ended.stdout)
    [report] = reports
    assert report["judged"] or not judged
    return report
