import json
from typing import Any

import pytest

from exercises.exam.ex5_health_checks.readiness import NAMES
from lab.flags import Known, Reader, flags

ALL_UP = {"qdrant": True, "litellm": True, "mlflow": True}


def _report(litellm: Any) -> dict[str, Any]:
    return {"qdrant": True, "litellm": litellm, "mlflow": True}


@pytest.mark.parametrize(
    "body",
    [
        _report(True),
        {"status": "ok", "checks": _report({"healthy": True, "latency_ms": 3.2, "error": None})},
        {"dependencies": _report({"status": "healthy", "message": "0 failures"})},
        {"detail": {"services": _report("ok")}},
        {"status": "ok", "qdrant_healthy": True, "litellm_status": "up", "mlflow_ok": True},
        {"checks": {"Qdrant": "OK (12 ms)", "LLM": "connected", "MLflow": "pass"}},
        {"checks": [{"name": "qdrant", "ok": True}, {"name": "litellm", "ok": True}, {"name": "mlflow", "ok": True}]},
        _report(200),
        _report(1),
        _report("1"),
        _report("HTTP 200"),
        _report("200 OK"),
        _report("✅"),
        _report({"status_code": 200, "latency_ms": 503}),
        _report({"alive": 1}),
        _report({"error": None, "latency_ms": 3}),
        _report({"down": False}),
        _report([{"status": "pass"}, {"status": "pass"}]),
        _report({"checks": {"liveness": {"status": "OK"}}}),
        {"status": "pass", "checks": {f"{one}:connectivity": [{"status": "pass"}] for one in ALL_UP}},
        {"vector_db": "OK", "gateway": "OK", "tracking": "OK"},
        {"vectorstore": {"up": True}, "llm": {"up": True}, "tracing_server": {"up": True}},
        {"VectorStore": "UP", "LLM Gateway": "UP", "ML-Flow": "UP"},
        {"dependencies": [{"component": name, "state": "OK"} for name in ("vectors", "llm", "tracking")]},
        {"checks": [["qdrant", "up"], ["litellm", "up"], ["mlflow", "up"]]},
        {"checks": ["qdrant: ok", "litellm: ok", "mlflow -> up"]},
        {"healthy": ["qdrant", "litellm", "mlflow"], "unhealthy": []},
        {"qdrant": {"status": "healthy"}, "litellm": {"status": "healthy"}, "mlflow": {"status": "healthy"},
         "tei": {"status": "unhealthy"}, "circuit_breaker": {"state": "open", "healthy": False}},
        {"data": {"report": {"Qdrant Vector DB": {"isHealthy": True}, "LiteLLM Gateway": {"isHealthy": True},
                             "MLflow Tracking": {"isHealthy": True}}}},
        {
            **_report(True),
            "litellm_url": "http://litellm:4000",
            "llm_cache_ready": False,
            "mlflow_tracing_enabled": False,
            "mlflow_error": None,
            "circuit_breakers": {"litellm": {"state": "closed", "failures": 0}},
        },
    ],
)  # fmt: skip
def test_reads_reports_of_any_layout(body: Any) -> None:
    assert flags(json.dumps(body), NAMES) == ALL_UP


@pytest.mark.parametrize(
    "value",
    [
        False,
        {"healthy": False},
        {"status": "unhealthy"},
        {"status": "error", "healthy": False},
        {"ok": False, "status": "unknown"},
        "down",
        "unhealthy: ConnectError",
        "timeout",
        "timed out after 2 s",
        "not reachable",
        "degraded",
        "disconnected",
        503,
        0,
        "0",
        "KO",
        "NOK",
        "fail",
        "warn",
        "❌",
        "HTTP 503",
        "ConnectError: all attempts failed",
        "en panne",
        "OUT_OF_SERVICE",
        "major_outage",
        "partial outage",
        "degraded_performance",
        "impaired",
        "unresponsive",
        "crit",
        {"http": 503},
        {"error": "ConnectError"},
        {"down": True},
        {"up": 0},
        [{"status": "pass"}, {"status": "fail"}],
        {"checks": {"liveness": {"status": "KO"}}},
        {"status_code": 503, "latency_ms": 212},
    ],
)
def test_tells_what_is_down(value: Any) -> None:
    assert flags(json.dumps({"checks": _report(value)}), NAMES) == {**ALL_UP, "litellm": False}


@pytest.mark.parametrize(
    "words", [("operational", "major_outage"), ("nominal", "impaired"), ("responding", "unresponsive")]
)
def test_reads_the_words_of_status_pages(words: tuple[str, str]) -> None:
    up, down = words

    assert flags(json.dumps({name: {"status": up} for name in ALL_UP}), NAMES) == ALL_UP
    assert flags(json.dumps(_report({"status": down})), NAMES) == {**ALL_UP, "litellm": False}


@pytest.mark.parametrize(
    "value",
    [None, 3.5, 12, 212.5, "212 ms", "closed", "0 errors", "http://litellm:4000", {}, {"latency_ms": 4}, []],
)
def test_does_not_guess_what_a_report_does_not_say(value: Any) -> None:
    assert flags(json.dumps(_report(value)), NAMES) == {**ALL_UP, "litellm": None}


@pytest.mark.parametrize("body", ["", "ok", "[]", "null", '"qdrant"', "[" * 100_000, '{"status": "ok"}'])
def test_finds_nothing_where_no_dependency_is_named(body: str) -> None:
    assert flags(body, NAMES) == {"qdrant": None, "litellm": None, "mlflow": None}


def test_reads_lines_of_text() -> None:
    assert flags("qdrant: ok\nlitellm: KO\nmlflow: ok\n", NAMES) == {**ALL_UP, "litellm": False}


@pytest.mark.parametrize(
    ("up", "down"),
    [
        ("up", "down"),
        ("healthy_services", "unhealthy_services"),
        ("servicesUp", "servicesDown"),
        ("passed_checks", "failed_checks"),
        ("dependencies ok", "dependencies ko"),
        ("ready", "not_ready"),
        ("operational", "outages"),
        ("fine", "problems"),
        ("available", "failures"),
    ],
)
def test_finds_a_name_in_a_group_of_what_is_down(up: str, down: str) -> None:
    names = {up: ["qdrant", "mlflow"], down: ["litellm"]}
    objects = {up: [{"name": "qdrant"}, {"name": "mlflow", "latency_ms": 4}], down: [{"name": "litellm"}]}
    times = {up: {"qdrant": "3 ms", "mlflow": {"latency_ms": 3}}, down: {"litellm": {"since": "09:12"}}}

    for groups in (names, objects, times):
        for body in (groups, {"status": "degraded", "checks": groups}):
            assert flags(json.dumps(body), NAMES) == {**ALL_UP, "litellm": False}, body


def test_in_a_group_what_something_says_itself_counts() -> None:
    assert flags(json.dumps({"up": _report(0)}), NAMES) == {**ALL_UP, "litellm": False}
    assert flags(json.dumps({"errors": {"qdrant": None, "litellm": "refused", "mlflow": None}}), NAMES) == {
        **ALL_UP,
        "litellm": False,
    }
    assert flags(json.dumps({"up": _report(None)}), NAMES) == {**ALL_UP, "litellm": None}


def _learned(*reports: tuple[dict[str, Any], tuple[str, ...]]) -> Reader:
    return Reader.taught(NAMES, [Known(json.dumps(body), down) for body, down in reports])


def test_of_several_fields_the_one_that_has_followed_counts() -> None:
    def body(state: str) -> dict[str, Any]:
        return {"qdrant": True, "qdrant_state": state, "litellm": True, "mlflow": True}

    down = json.dumps(body("KO"))

    assert flags(down, NAMES)["qdrant"] is True
    assert _learned((body("OK"), ()), (body("KO"), ("qdrant",))).read(down)["qdrant"] is False
    assert _learned((body("OK"), ()), (body("OK"), ("qdrant",))).read(down)["qdrant"] is True


def test_what_never_changes_is_no_flag_however_often_it_was_right() -> None:
    def body(state: str) -> dict[str, Any]:
        return {"qdrant": True, "qdrant_state": state, "litellm": True, "mlflow": True}

    many = [(body("OK"), ())] * 9
    reader = _learned(*many, (body("KO"), ("qdrant",)), (body("KO"), ()))

    assert reader.read(json.dumps(body("KO")))["qdrant"] is False


def test_of_fields_in_one_object_the_one_that_has_followed_counts() -> None:
    def body(*, up: bool) -> dict[str, Any]:
        return {"mlflow": {"ok": True, "status": "up" if up else "down"}}

    reader = _learned((body(up=True), ()), (body(up=False), ("mlflow",)))

    assert reader.read(json.dumps(body(up=False)))["mlflow"] is False
    assert reader.read(json.dumps(body(up=True)))["mlflow"] is True


def test_a_report_may_be_wrapped_where_something_is_down() -> None:
    up, down = {"checks": _report("OK")}, {"detail": {"checks": _report("KO")}}
    reader = _learned((up, ()), (down, ("litellm",)))

    assert reader.read(json.dumps(down)) == {**ALL_UP, "litellm": False}


def test_a_constant_is_a_flag_that_has_not_followed() -> None:
    body = _report(True)

    assert _learned((body, ()), (body, ("litellm",))).read(json.dumps(body)) == ALL_UP


def test_a_huge_report_is_read_in_no_time() -> None:
    body = json.dumps({f"a{number}": {"b": [number] * 20} for number in range(5_000)})

    assert flags(body, NAMES) == {"qdrant": None, "litellm": None, "mlflow": None}


def _word(up: bool, well: str, ill: str) -> str:  # noqa: FBT001 - told by its name
    return well if up else ill


@pytest.mark.parametrize(
    "report",
    [
        lambda up: {"results": [{"checker": f"{one}_available", "passed": up[one]} for one in up]},
        lambda up: {
            "entities": [{"alias": one, "status": _word(up[one], "Healthy", "Unhealthy")} for one in up]
        },
        lambda up: {"services": [{"serviceName": one, "isHealthy": up[one]} for one in up]},
        lambda up: {
            "checks": [{"resource_name": one, "state": _word(up[one], "live", "dead")} for one in up]
        },
        lambda up: {
            f"{one.title()}HealthCheck": _word(up[one], "working", "unavailable: Unknown error") for one in up
        },
        lambda up: {one: _word(up[one], "HealthStatus.HEALTHY", "HealthStatus.UNHEALTHY") for one in up},
        lambda up: {one: _word(up[one], "Connected", "Cannot connect") for one in up},
        lambda up: {one: _word(up[one], "good", "poor") for one in up},
    ],
    ids=["healthcheck", "fastapi-healthcheck", "serviceName", "resource", "django", "enum", "cannot", "poor"],
)
@pytest.mark.parametrize("down", [(), ("qdrant",), ("litellm", "mlflow"), ("qdrant", "litellm", "mlflow")])
def test_flags_are_read_as_libraries_write_them(report: Any, down: tuple[str, ...]) -> None:
    state = {one: one not in down for one in ALL_UP}

    assert flags(json.dumps(report(state)), NAMES) == state
