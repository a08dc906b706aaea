"""Judges recorded runs again, several side by side: a class has hundreds of them."""

import functools
import gc
import signal
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from grading import results
from grading.processors import count_processors
from grading.report import Report
from grading.score import Graded, rescored
from lab.assessment import Assessment

FindAssessment = Callable[[str], Assessment]
"""Returns the assessment of a name. Raises UsageError if there is none."""


def rescore(folders: Sequence[Path], find: FindAssessment) -> list[Graded]:
    """Judge the runs in these folders again, the latest last.

    The histories of a single run are kept. Those of several would take tens of megabytes each, and no format shows them.
    Raises UsageError if a run cannot be read.
    """
    if len(folders) == 1:
        report, histories = results.load(folders[0])
        return [Graded(rescored(report, histories, find(report.assessment)), histories)]
    workers = min(len(folders), count_processors())
    with ProcessPoolExecutor(workers, get_context("fork"), _leave_interrupts_to_the_parent) as pool:
        reports = list(pool.map(functools.partial(_again, find=find), folders))
    return [Graded(one, {}) for one in sorted(reports, key=lambda report: report.started)]


def _again(folder: Path, find: FindAssessment) -> Report:
    gc.disable()  # collections among thousands of new events would double the time
    try:
        report, histories = results.load(folder)
    finally:
        gc.enable()
    return rescored(report, histories, find(report.assessment))


def _leave_interrupts_to_the_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
