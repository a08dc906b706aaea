"""Publishes the gradings of a class as MLflow runs, by MLflow's own client, so that attempts can be compared there.

The run of a grading has a tag with the digest of its report. What has such a run is not published again, and a run that a
killed command has left unfinished is completed: MLflow keeps a parameter or metric that it gets twice once.
"""

import logging
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from grading import results
from grading.classroom.store import Attempt
from grading.classroom.student import PAGE
from grading.errors import MachineError, UsageError, without_credentials
from lab.reading import excerpt

KIND: Final = "mlflow"
DIGEST: Final = "grading.digest"
STATUS: Final = "FINISHED"
SETTINGS: Final = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
"""MLflow's, unless they are set: by its own a server that is gone takes minutes."""
_PAGE_SIZE: Final = 1000
_REASON_LENGTH: Final = 160
_MISSING: Final = "--publish mlflow needs MLflow's client; install it with `uv sync --group publish`."

Publish = Callable[[Sequence[Attempt]], int]
"""Publishes those gradings that are not published yet, and returns how many these were. Raises MachineError if it cannot."""


@dataclass(frozen=True, slots=True)
class _Run:
    """A run that is there already."""

    id: str
    settled: bool


def publisher(kind: str, uri: str) -> Publish:
    """Return what publishes gradings at an address. Raises UsageError if it is none, or if packages are missing."""
    if kind != KIND:
        raise UsageError(
            "--publish takes `mlflow` and the address of its server, as in `--publish mlflow http://localhost:5000`."
        )
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    try:
        from mlflow import MlflowClient, entities  # noqa: PLC0415 - extras that take a second to import
        from mlflow.exceptions import MlflowException  # noqa: PLC0415
    except ImportError:
        raise UsageError(_MISSING) from None
    logging.getLogger("mlflow").setLevel(logging.ERROR)  # what matters is told of the gradings
    try:
        server = _Server(MlflowClient(uri), entities)
    except MlflowException as error:
        raise UsageError(
            f"--publish mlflow needs the address of a server (http://...) or a database (sqlite:///...), not {uri}."
        ) from error

    def publish(attempts: Sequence[Attempt]) -> int:
        try:
            return server.publish(attempts)
        except (MlflowException, OSError) as error:
            raise MachineError(
                f"Not all gradings are published at {uri} ({_reason(error)}); none is lost, and the same command publishes the rest."
            ) from error

    return publish


class _Server:
    """An MLflow server, or a database in its place."""

    def __init__(self, client: Any, entities: Any) -> None:
        self._client = client
        self._entities = entities

    def publish(self, attempts: Sequence[Attempt]) -> int:
        count = 0
        for assessment in dict.fromkeys(one.report.assessment for one in attempts):
            experiment = self._experiment(f"grading-{assessment}")
            runs = dict(self._runs(experiment))
            for attempt in attempts:
                run = runs.get(attempt.digest)
                if attempt.report.assessment == assessment and not (run and run.settled):
                    self._write(run.id if run else self._begin(experiment, attempt), attempt)
                    count += 1
        return count

    def _experiment(self, name: str) -> str:
        found = self._client.get_experiment_by_name(name)
        return str(found.experiment_id if found else self._client.create_experiment(name))

    def _runs(self, experiment: str) -> Iterator[tuple[str, _Run]]:
        """Yield the runs of an experiment by the digest of the grading; one that somebody has deleted stays deleted."""
        everything = self._entities.ViewType.ALL
        token = None
        while True:
            page = self._client.search_runs([experiment], "", everything, _PAGE_SIZE, page_token=token)
            for run in page:
                settled = run.info.status == STATUS or run.info.lifecycle_stage == "deleted"
                yield run.data.tags.get(DIGEST, ""), _Run(run.info.run_id, settled)
            token = page.token
            if not token:
                return

    def _begin(self, experiment: str, attempt: Attempt) -> str:
        tags = {DIGEST: attempt.digest}
        run = self._client.create_run(experiment, began(attempt), tags, attempt.record.id)
        return str(run.info.run_id)

    def _write(self, run: str, attempt: Attempt) -> None:
        start = began(attempt)
        self._client.log_batch(
            run,
            [self._entities.Metric(name, value, start, 0) for name, value in metrics(attempt).items()],
            [self._entities.Param(name, value) for name, value in params(attempt).items()],
            [self._entities.RunTag(name, value) for name, value in tags(attempt).items()],
        )
        for path in (attempt.folder / results.REPORT, attempt.folder / PAGE):
            if path.is_file():  # there may be no page (see grading.classroom.student)
                self._client.log_artifact(run, str(path))
        self._client.set_terminated(run, STATUS, start + round(1000 * attempt.record.seconds))


def began(attempt: Attempt) -> int:
    """Return when a grading began, in milliseconds since 1970."""
    return round(datetime.fromisoformat(attempt.record.started).timestamp() * 1000)


def params(attempt: Attempt) -> dict[str, str]:
    """Return what was graded, and how."""
    report = attempt.report
    return {
        "student": attempt.record.id,
        "commit": attempt.record.commit or "none",
        "assessment": report.assessment,
        "seed": str(report.seed),
        "runtime": str(report.runtime),
        "grader": report.grader or "unknown",
    }


def metrics(attempt: Attempt) -> dict[str, float]:
    """Return the figures of a grading: its points, those of each exercise, and how many criteria passed."""
    report = attempt.report
    statuses = Counter(one.status for exercise in report.exercises for one in exercise.criteria)
    return {
        "points": report.total,
        "max_points": report.max_points,
        **{f"exercise_{one.number}": one.points for one in report.exercises},
        "criteria_passed": statuses["passed"],
        "criteria_failed": statuses["failed"],
        "criteria_not_judged": statuses["not judged"],
        "seconds": report.seconds,
    }


def tags(attempt: Attempt) -> dict[str, str]:
    """Return what a grading came to in words, and which command over the class made it."""
    return {"mention": attempt.record.mention or "none", "class_run": str(attempt.record.run)}


def _reason(error: BaseException) -> str:
    """Return why a server could not be used, in a few words: the system's, if it was the system that failed."""
    chain: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in chain:
        chain.append(cause)
        cause = cause.__cause__ or cause.__context__
    for one in reversed(chain):
        if isinstance(one, OSError) and one.strerror:
            return one.strerror
    return without_credentials(excerpt(str(error), _REASON_LENGTH)).rstrip(".")
