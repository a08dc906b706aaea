import io
import math
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from rich.console import Console

from chaos.demo import health, view
from chaos.demo.look import Look

REPORT = """{"status": "degraded",
 "checks": {"qdrant": {"healthy": false, "latency_ms": 2.1, "error": "ConnectError"},
            "litellm": {"healthy": true, "latency_ms": 2.1, "error": null}},
 "circuit_breaker": {"state": "half_open", "failures": 5, "retry_after": 8.0}}"""

LOOK = Look(
    at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    rates={"200": 1.5, "404": 0.0, "503": 0.5},
    p50=0.25,
    p95=math.inf,
    health=health.parse(REPORT),
    faults=("outage of qdrant (7 s left)", "the next 2 calls to the model fail"),
)


def drawn(look: Look) -> str:
    text = io.StringIO()
    Console(width=100, file=text).print(view.picture(look))
    return text.getvalue()


def test_a_line_has_it_all() -> None:
    assert view.line(LOOK) == (
        "03:04:05  200 1.5/s  503 0.5/s  p50 0.25 s  p95 more than is measured  breaker half-open (8 s)"
        "  litellm up  qdrant down  faults: outage of qdrant (7 s left); the next 2 calls to the model fail"
    )


def test_a_picture_has_it_all() -> None:
    text = drawn(LOOK)

    for part in (
        "200    1.5  ███",
        "503    0.5  ███",
        "within 0.25 s",
        "half-open (8 s)",
        "down: ConnectError",
        "outage of qdrant (7 s left)",
        "the next 2 calls to the model fail",
    ):
        assert part in text


def test_nobody_there() -> None:
    nobody = Look(at=LOOK.at, rates={}, p50=None, p95=None, health=None, faults=None)

    assert view.line(nobody) == (
        "03:04:05  no answers  p50 -  p95 -  api down  faults: the fault proxy does not answer"
    )
    assert "does not answer" in drawn(nobody)
    assert "chaos traffic" in drawn(nobody)


@pytest.mark.parametrize("report", ["", "[]", '{"checks": {"qdrant": "ok"}}', '{"status": "ok"}'])
def test_a_report_of_another_form_is_not_guessed_at(report: str) -> None:
    other = replace(LOOK, health=health.parse(report), faults=())

    assert view.line(other).endswith("p95 more than is measured  faults: none")
    assert "names neither breaker nor dependencies" in drawn(other)
