import json
from typing import Any

import pytest

from exercises.exam.ex5_health_checks.readiness import NAMES
from lab.flags import flags

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
    ],
)
def test_tells_what_is_down(value: Any) -> None:
    assert flags(json.dumps({"checks": _report(value)}), NAMES) == {**ALL_UP, "litellm": False}


@pytest.mark.parametrize("value", [None, 3.5, 12, "closed", "http://litellm:4000", {}, {"latency_ms": 4}, []])
def test_does_not_guess_what_a_report_does_not_say(value: Any) -> None:
    assert flags(json.dumps(_report(value)), NAMES) == {**ALL_UP, "litellm": None}


@pytest.mark.parametrize("body", ["", "ok", "[]", "null", '"qdrant"', "[" * 100_000, '{"status": "ok"}'])
def test_finds_nothing_where_no_dependency_is_named(body: str) -> None:
    assert flags(body, NAMES) == {"qdrant": None, "litellm": None, "mlflow": None}
