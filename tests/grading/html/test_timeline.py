"""Timelines: where marks stand, and how many there are."""

import pytest

from chaos.history import (
    Answer,
    Call,
    Event,
    Failure,
    Fault,
    History,
    Launched,
    Log,
    Phase,
    Reply,
    Request,
    Signalled,
)
from grading.html.timeline import MOST_MARKS, MOST_ROWS, Lane, draw

pytestmark = pytest.mark.medium


def lane(history: History, name: str) -> Lane:
    return next(one for one in draw(history).lanes if one.name == name)


def request(number: int, t: float) -> Request:
    return Request(t=t, request=number, label="x", method="GET", path="/")


def answer(number: int, t: float, status: int) -> Answer:
    return Answer(t=t, request=number, status=status, headers={}, body="", elapsed=0.1)


def test_requests_are_coloured_by_what_came_of_them_and_stand_below_each_other() -> None:
    events: list[Event] = [
        Launched(t=10, command="run", cwd="/"),
        *(request(number, 11) for number in range(5)),
        answer(0, 12, 200),
        answer(1, 13, 404),
        answer(2, 14, 503),
        Failure(t=15, request=3, error="timeout", elapsed=4),
        Signalled(t=20, signal="SIGTERM"),
    ]

    marks = lane(History(events), "requests").marks

    assert [(one.kind, one.start, one.width, one.row) for one in marks] == [
        ("good", 10, 10, 0),
        ("refused", 10, 20, 1),
        ("error", 10, 30, 2),
        ("lost", 10, 40, 3),
        ("open", 10, 90, 4),
    ]


def test_a_fault_lasts_until_it_is_healed_and_one_that_is_not_until_the_end() -> None:
    events = [
        Launched(t=0, command="run", cwd="/"),
        Fault(t=2, name="outage", upstream="litellm", on=True),
        Fault(t=4, name="heal", upstream="litellm", on=False),
        Fault(t=6, name="latency", upstream="litellm", on=True, detail="5 s"),
        Log(t=10, stream="stdout", text="end"),
    ]

    marks = lane(History(events), "faults of litellm").marks

    assert [(one.text, one.start, one.width) for one in marks] == [
        ("outage of litellm", 20, 20),
        ("latency of litellm 5 s", 60, 40),
    ]


def test_each_upstream_has_a_lane_and_its_uncounted_calls_stand_back() -> None:
    def call(number: int, upstream: str, *, counted: bool) -> Call:
        return Call(
            t=number,
            call=number,
            upstream=upstream,
            method="GET",
            path="/",
            connection=1,
            counted=counted,
        )

    history = History(
        [
            call(0, "litellm", counted=True),
            call(1, "qdrant", counted=False),
            call(2, "litellm", counted=True),
            Reply(t=3, call=0, outcome="answered", status=500),
            Reply(t=4, call=2, outcome="client-gone"),
        ]
    )

    assert [one.kind for one in lane(history, "calls to litellm").marks] == ["error", "lost"]
    assert [one.kind for one in lane(history, "calls to qdrant").marks] == ["aside"]


def test_marks_are_bounded_however_many_events_there_are() -> None:
    events: list[Event] = [Log(t=place / 100, stream="stdout", text="x") for place in range(50_000)]
    events += [request(number, number / 1000) for number in range(20_000)]

    timeline = draw(History(events))

    assert all(len(one.marks) <= MOST_MARKS and one.rows <= MOST_ROWS for one in timeline.lanes)
    told = {one.name: sum(mark.count for mark in one.marks) + one.left_out for one in timeline.lanes}
    assert told == {"log lines": 50_000, "requests": 20_000}


def test_phases_moments_and_seconds_stand_where_they_happened() -> None:
    history = History(
        [
            Launched(t=100, command="run", cwd="/"),
            Phase(t=105, name="control"),
            Phase(t=110, name="fault"),
            Signalled(t=120, signal="SIGTERM"),
        ]
    )

    timeline = draw(history, {3})

    assert [(one.name, one.start, one.width) for one in timeline.bands] == [
        ("control", 25, 25),
        ("fault", 50, 50),
    ]
    assert [(one.event, one.start) for one in timeline.moments] == [(3, 100)]
    assert [(one.seconds, one.at) for one in timeline.ticks][:2] == [(102, 10), (104, 20)]


def test_the_seconds_of_a_short_timeline_can_be_told_apart() -> None:
    history = History([Signalled(t=0.005 + number / 1000, signal="SIGTERM") for number in range(4)])

    ticks = [one.seconds for one in draw(history).ticks]

    assert len(ticks) == len(set(ticks)) > 2


def test_a_history_without_events_is_an_empty_timeline() -> None:
    timeline = draw(History([]))

    assert (timeline.lanes, timeline.bands, timeline.moments) == ((), (), ())
