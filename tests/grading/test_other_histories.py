"""Histories of services that answer, call and log otherwise than the recorded one: every check ends in a verdict."""

import random
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from chaos.history import Answer, Call, Event, Exited, Failure, History, Log, Phase, Socket, Trace, Workers
from grading import judge
from grading.results import load
from tests.exam import EXAM

pytestmark = pytest.mark.slow
RECORDED = Path(__file__).parent.parent / "recorded"
TRIPPED = "could not read the history"
SHARES = (0.0, 0.1, 1.0)
STATUSES = ((200,), (500,), (503,), (429,), (302,), (200, 400, 404, 422, 500, 502, 503, 504))
LOST = (Call, Log, Trace, Socket, Exited)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, History]]:
    folder = tmp_path_factory.mktemp("recorded")
    for name in ("reference", "starter"):
        with tarfile.open(RECORDED / f"{name}.tar.gz") as archive:
            archive.extractall(folder, filter="data")
    return [load(folder / name)[1] for name in ("reference", "starter")]


class OtherService:
    """Changes what a service did once its control phase was over, as the source of chance has it."""

    def __init__(self, source: random.Random) -> None:
        self._source = source
        self._lost: dict[type[Event], float] = {kind: source.choice(SHARES) for kind in LOST}
        self._answered, self._failed = source.choice(SHARES), source.choice(SHARES[:2])
        self._statuses = source.choice(STATUSES)
        self._bare = source.random() < 0.3
        self._workers = source.choice((1, 1, 2, 5))

    def of(self, history: History) -> History:
        return History(self._events(history))

    def _events(self, history: History) -> Iterator[Event]:
        controlled = True
        for event in history.events:
            controlled = controlled and not (isinstance(event, Phase) and event.name != "control")
            if controlled:
                yield event
            elif not self._chance(self._lost.get(type(event), 0.0)):
                yield self._changed(event)

    def _changed(self, event: Event) -> Event:
        if isinstance(event, Workers):
            return event.model_copy(update={"count": self._workers})
        if not isinstance(event, Answer):
            return event
        if self._chance(self._failed):
            return Failure(t=event.t, request=event.request, error="reset", elapsed=event.elapsed)
        if self._chance(self._answered):
            told = {
                "status": self._source.choice(self._statuses),
                "body": self._source.choice((event.body, "{}")),
            }
            return event.model_copy(update=told | ({"headers": {}} if self._bare else {}))
        return event

    def _chance(self, share: float) -> bool:
        return self._source.random() < share


@pytest.mark.parametrize("seed", range(12))
def test_no_check_trips_on_what_another_service_did(seed: int, runs: list[dict[str, History]]) -> None:
    source = random.Random(seed)
    other = OtherService(source)
    histories = {name: other.of(history) for name, history in source.choice(runs).items()}

    judged = [judge.criterion(one, histories) for exercise in EXAM.exercises for one in exercise.criteria]

    assert [(one.number, one.actual) for one in judged if TRIPPED in one.actual] == []
