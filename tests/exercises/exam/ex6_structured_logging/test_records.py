import json
from typing import Any

import pytest

from chaos.history import Answer, Log, Ready, Request, Signalled
from chaos.recorder import Recorder
from exercises.exam.ex6_structured_logging.records import Record, parse, written


def read(fields: dict[str, Any]) -> Record:
    record = parse(Log(stream="stdout", text=json.dumps(fields)))
    assert record
    return record


@pytest.mark.parametrize(
    "text", ["INFO: started", "[1, 2]", '"text"', "{'a': 1}", '{"a": 1} tail', '{"a": "\n']
)
def test_what_is_no_json_object_is_no_record(text: str) -> None:
    assert parse(Log(stream="stderr", text=text)) is None


def test_a_line_that_was_cut_counts_by_how_it_begins() -> None:
    assert parse(Log(stream="stdout", text='{"message": "long', cut=True))
    assert parse(Log(stream="stdout", text="Traceback", cut=True)) is None


def test_a_line_that_was_cut_carries_the_ids_in_its_text() -> None:
    record = parse(Log(stream="stdout", text='{"request_id": "r1", "message": "long', cut=True))

    assert record
    assert record.carries("r1")


@pytest.mark.parametrize("name", ["message", "msg", "event", "Message", "Body", "short_message"])
def test_names_of_the_message(name: str) -> None:
    assert read({name: "hello"}).has_message


@pytest.mark.parametrize("fields", [{}, {"text": "hello"}, {"message": ""}, {"message": None}])
def test_no_message(fields: dict[str, Any]) -> None:
    assert not read(fields).has_message


@pytest.mark.parametrize(
    ("fields", "severity"),
    [
        ({"level": "info"}, 20),
        ({"severity": "WARN"}, 30),
        ({"log.level": "Error"}, 40),
        ({"log": {"level": "critical"}}, 50),
        ({"levelname": "WARNING"}, 30),
        ({"level": 30}, 30),
        ({"level": "40"}, 40),
        ({"level": 4}, 30),
        ({"record": {"level": {"name": "SUCCESS", "no": 25}}}, 20),
        ({"level": "loud"}, None),
        ({"level": True}, None),
        ({}, None),
    ],
)
def test_levels(fields: dict[str, Any], severity: int | None) -> None:
    assert read(fields).severity == severity


@pytest.mark.parametrize(
    ("fields", "severity"),
    [
        ({"SeverityText": "WARN2", "SeverityNumber": 14}, 30),
        ({"severityNumber": 9}, 20),
        ({"severityNumber": 17}, 40),
        ({"severity": 400}, 30),
        ({"level": 30, "levelname": "INFO"}, 20),
        ({"level": "dpanic"}, 50),
        ({"level": "W"}, 30),
        ({"log": {"level": "warn"}}, 30),
    ],
)
def test_levels_of_other_loggers(fields: dict[str, Any], severity: int) -> None:
    assert read(fields).severity == severity


def test_numbers_are_pinos_only_in_records_that_look_like_its() -> None:
    assert read({"level": 40, "time": 1795255200500, "msg": "x"}).severity_as_pino == 30
    assert read({"level": 40, "timestamp": 1795255200500, "message": "x"}).severity_as_pino == 40


@pytest.mark.parametrize(
    "fields",
    [
        {"timestamp": "2026-11-21T10:00:00.123456Z"},
        {"@timestamp": "2026-11-21T10:00:00.123456789+01:00"},
        {"time": "2026-11-21 10:00:00,123"},
        {"ts": 1795255200.5},
        {"ts": 1795255200500},
        {"ts": "1795255200.5"},
        {"record": {"time": {"repr": "2026-11-21 10:00:00+00:00", "timestamp": 1795255200.5}}},
        {"ts": 1795255200500000},
        {"timeUnixNano": "1795255200500000000"},
        {"timestamp": {"seconds": 1795255200, "nanos": 500}},
        {"time": "[2026-11-21 10:00:00 +0000]"},
        {"time": "21/Nov/2026:10:00:00 +0000"},
        {"time": "Sat, 21 Nov 2026 10:00:00 GMT"},
        {"time": "2026/11/21 10:00:00"},
        {"time": "20261121T100000Z"},
    ],
)
def test_timestamps(fields: dict[str, Any]) -> None:
    assert read(fields).timestamp is not None


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"time": "10:00:00"},
        {"time": "2026-11-21"},
        {"time": "20261121"},
        {"ts": "nan"},
        {"ts": 12.5},
        {"timestamp": "yesterday"},
        {"ts": True},
        {"when": 1795255200},
    ],
)
def test_no_timestamp(fields: dict[str, Any]) -> None:
    assert read(fields).timestamp is None


@pytest.mark.parametrize(
    "fields",
    [
        {"request_id": "r1"},
        {"requestId": "r1"},
        {"request-id": "r1"},
        {"X-Request-ID": "r1"},
        {"correlation_id": "r1"},
        {"trace_id": "r1"},
        {"context": {"correlationId": "r1"}},
        {"record": {"extra": {"request_id": "r1"}}},
        {"trace_id": "t1", "request_id": "r1"},
        {"http.request.id": "r1"},
        {"http": {"request": {"id": "r1"}}},
        {"trace": {"id": "r1"}},
        {"trace.id": "r1"},
        {"req": {"id": "r1"}},
        {"reqId": "r1"},
        {"labels": {"request_id": "r1"}},
        {"logging.googleapis.com/labels": {"request_id": "r1"}},
        {"logging.googleapis.com/trace": "projects/shop/traces/r1"},
        {"Attributes": {"http.request.id": "r1"}},
        {"attributes": [{"key": "request_id", "value": {"stringValue": "r1"}}]},
    ],
)
def test_names_of_the_id(fields: dict[str, Any]) -> None:
    assert read(fields).carries("r1")


def test_an_id_elsewhere_does_not_count() -> None:
    assert not read({"message": "r1", "user_id": "r1"}).carries("r1")


def test_lines_count_from_the_first_answer_after_the_start_until_the_kill() -> None:
    recorder = Recorder()

    def log(text: str) -> None:
        recorder.record(Log(stream="stdout", text=text))

    def answer(number: int) -> None:
        recorder.record(Request(request=number, label="x", method="GET", path="/health"))
        log(f"during {number}")
        recorder.record(Answer(request=number, status=200, headers={}, body="", elapsed=0))

    answer(1)
    recorder.record(Ready())
    log("late words of the start")
    answer(2)
    log("counts")
    log("  ")
    recorder.record(Log(stream="stdout", text="another's", instance="second"))
    recorder.record(Signalled(signal="SIGTERM"))
    log("shutdown")
    recorder.record(Signalled(signal="SIGKILL"))
    log("torn off")

    assert [line.text for line in written(recorder.history())] == ["counts", "shutdown"]
