"""Gradings as MLflow runs: in a database, through a server that is gone, and after a kill at any moment."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from grading import results
from grading.classroom.publish import SETTINGS, publisher
from grading.classroom.record import State
from grading.classroom.store import Attempt, Store, write_record
from grading.errors import MachineError, UsageError
from tests.grading.classroom.samples import make_record, make_report
from tests.grading.classroom.toy_runs import Class, small_class

pytestmark = [
    pytest.mark.medium,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # MLflow's models, with a new SQLAlchemy
]

NOWHERE = "http://127.0.0.1:9"


class Killed(BaseException):
    """What stands for a kill -9."""


@pytest.fixture(autouse=True)
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep MLflow's settings out of other tests, and what it writes beside its database out of the repository."""
    monkeypatch.chdir(tmp_path)
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A database with an experiment for the toy assessment, which keeps artifacts beside it."""
    folder = tmp_path_factory.mktemp("mlflow")
    uri = f"sqlite:///{folder / 'mlflow.db'}"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name, value in SETTINGS.items():
            patch.setenv(name, value)
        connect(uri).create_experiment("grading-toy", str(folder / "artifacts"))
    return uri


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "results") as store:
        yield store


def grade(
    store: Store,
    student: str,
    points: float,
    *,
    run: int = 1,
    state: State = State.GRADED,
    assessment: str = "toy",
) -> None:
    """Put a grading into its place, as if it had been made."""
    draft = store.new_draft(student)
    draft.mkdir()
    report = make_report(points, submission=student, seed=run, assessment=assessment)
    results.write(draft, report, {})
    (draft / "report.html").write_text(f"<p>{points}</p>")
    write_record(draft, make_record(student, report, state, run=run, commit="c0ffee"))
    store.take(draft)


def attempts(store: Store, *students: str) -> list[Attempt]:
    return [one for student in students for one in store.graded_attempts(student)]


def connect(database: str) -> Any:
    from mlflow import MlflowClient  # noqa: PLC0415 - reads its settings when it is imported

    return MlflowClient(database)


def runs_of(database: str, student: str) -> list[Any]:
    """Return the runs of a student, the first attempt first; deleted ones too."""
    from mlflow.entities import ViewType  # noqa: PLC0415

    client = connect(database)
    experiment = client.get_experiment_by_name("grading-toy")
    assert experiment
    wanted = f"params.student = '{student}'"
    order = ["tags.class_run ASC"]
    return list(client.search_runs([experiment.experiment_id], wanted, ViewType.ALL, order_by=order))


def test_attempts_are_runs_that_can_be_compared(database: str, store: Store) -> None:
    grade(store, "ada", 40)
    grade(store, "ada", 70, run=2)
    grade(store, "gone", 0, state=State.NOT_FETCHED)

    count = publisher("mlflow", database)(attempts(store, "ada", "gone"))

    first, second = runs_of(database, "ada")
    assert count == 2
    assert runs_of(database, "gone") == []
    assert [one.data.metrics["points"] for one in (first, second)] == [40, 70]
    assert second.info.run_name == "ada"
    assert second.info.status == "FINISHED"
    assert second.info.end_time - second.info.start_time == 20_000
    assert second.data.metrics == {
        "points": 70,
        "max_points": 100,
        "exercise_1": 50,
        "exercise_2": 20,
        "criteria_passed": 1,
        "criteria_failed": 1,
        "criteria_not_judged": 0,
        "seconds": 20,
    }
    assert second.data.params.items() >= {"student": "ada", "commit": "c0ffee", "assessment": "toy"}.items()
    assert second.data.tags["mention"] == "passed"
    kept = connect(database).list_artifacts(second.info.run_id)
    assert {one.path for one in kept} == {"report.html", "report.json"}


def test_each_assessment_has_an_experiment_of_its_own(database: str, store: Store) -> None:
    grade(store, "carl", 40, assessment="other")
    grade(store, "carl", 70, run=2)

    count = publisher("mlflow", database)(attempts(store, "carl"))

    assert count == 2
    assert [one.data.metrics["points"] for one in runs_of(database, "carl")] == [70]
    other = connect(database).get_experiment_by_name("grading-other")
    [run] = connect(database).search_runs([other.experiment_id])
    assert run.data.params["assessment"] == "other"


def test_a_grading_is_published_once_and_one_that_was_deleted_stays_so(database: str, store: Store) -> None:
    publish = publisher("mlflow", database)
    grade(store, "bob", 10)
    assert publish(attempts(store, "bob")) == 1
    assert publish(attempts(store, "bob")) == 0

    [run] = runs_of(database, "bob")
    connect(database).delete_run(run.info.run_id)
    assert publish(attempts(store, "bob")) == 0
    grade(store, "bob", 20, run=2)
    assert publish(attempts(store, "bob")) == 1

    assert [one.data.metrics["points"] for one in runs_of(database, "bob")] == [10, 20]


@pytest.mark.parametrize("took_effect", [False, True])
@pytest.mark.parametrize("call", ["create_run", "log_batch", "log_artifact", "set_terminated"])
def test_a_kill_at_any_moment_neither_loses_nor_doubles_a_run(
    call: str, database: str, store: Store, monkeypatch: pytest.MonkeyPatch, *, took_effect: bool
) -> None:
    publish = publisher("mlflow", database)
    student = f"{call}-{took_effect}"
    grade(store, student, 30)
    kind = type(connect(database))
    whole = getattr(kind, call)

    def killed(*words: Any, **named: Any) -> None:
        if took_effect:
            whole(*words, **named)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(kind, call, killed)
        with pytest.raises(Killed):
            publish(attempts(store, student))
    publish(attempts(store, student))

    [run] = runs_of(database, student)
    assert run.info.status == "FINISHED"
    assert run.data.metrics["points"] == 30
    assert len(connect(database).list_artifacts(run.info.run_id)) == 2
    assert len(connect(database).get_metric_history(run.info.run_id, "points")) == 1


def test_a_server_that_is_gone_is_told_in_a_sentence(store: Store) -> None:
    grade(store, "ada", 40)
    publish = publisher("mlflow", NOWHERE.replace("//", "//me:s3cret@"))

    with pytest.raises(MachineError) as told:
        publish(attempts(store, "ada"))

    assert told.value.message == (
        "Not all gradings are published at http://***@127.0.0.1:9 (Connection refused);"
        " none is lost, and the same command publishes the rest."
    )


@pytest.mark.parametrize(
    ("kind", "uri", "words"),
    [
        ("wandb", NOWHERE, "--publish takes `mlflow` and the address of its server"),
        ("mlflow", "gopher://x", r"needs the address of a server \(http://...\) or a database"),
    ],
)
def test_wrong_use(kind: str, uri: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        publisher(kind, uri)


def test_without_its_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mlflow", None)  # has an import of it fail

    with pytest.raises(UsageError, match=r"install it with `uv sync --group publish`"):
        publisher("mlflow", NOWHERE)


@pytest.mark.slow
@pytest.mark.usefixtures("grading_slot", "short_temporary_folder")
def test_a_class_whose_server_is_gone_is_graded_and_published_later(database: str, tmp_path: Path) -> None:
    one = Class(small_class(tmp_path, "eve"))

    code, errors = one.grade("--publish", "mlflow", NOWHERE)
    assert code == 0
    assert "(Connection refused); none is lost" in " ".join(errors.split())
    graded = one.records()
    code, errors = one.grade("--publish", "mlflow", database)
    assert code == 0
    assert "Published: 1; published before: 0." in errors
    code, errors = one.grade("--publish", "mlflow", database)
    assert "Published: 0; published before: 1." in errors

    assert one.records() == graded
    [run] = runs_of(database, "eve")
    assert run.data.metrics["points"] == json.loads(graded["eve"])["points"] == 12
