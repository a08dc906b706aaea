"""The checks of part 4 on histories that are written by hand."""

import itertools
from typing import Any

import pytest

from chaos.history import (
    Covered,
    CoveredFile,
    Exited,
    File,
    History,
    Linted,
    Log,
    OwnTest,
    OwnTests,
    Part,
    Signalled,
)
from chaos.keys import answer_code
from exercises.project61.part4_code_quality import checks
from exercises.project61.part4_code_quality.axes import OUTAGES
from lab.verdict import Verdict
from tests.exercises.project61.record import USAGE, Record, used

STREAM_KEY = "ref-1a2b3c4d5e6f"
WHOLE = f'data: {{"content": "{answer_code(STREAM_KEY)}"}}\n\ndata: [DONE]\n\n'


def assert_failed(verdict: Verdict, actual: str) -> None:
    assert verdict.status == "failed", verdict
    assert actual in verdict.actual


def own_tests(
    count: int, *, failing: int = 0, body: str = "assert 1 + int('1') == 2", problem: str = ""
) -> History:
    names = [f"test_{number}" for number in range(count + failing)]
    text = "".join(f"def {name}():\n    {body}\n" for name in names)
    cases = tuple(
        OwnTest(file="tests/test_a.py", name=name, outcome="failed" if number < failing else "passed")
        for number, name in enumerate(names)
    )
    record = Record().add(File(path="tests/test_a.py", text=text))
    return record.add(OwnTests(cases=() if problem else cases, problem=problem)).history


def test_ten_tests_that_pass_are_enough() -> None:
    assert checks.tests_pass(own_tests(10)).passed


@pytest.mark.parametrize(
    ("history", "actual"),
    [
        (own_tests(9), "9 pass"),
        (own_tests(12, failing=1), "1 fail"),
        (
            own_tests(12, body="assert True"),
            "0 pass and assert something; 12 others do not, such as test_0 in tests/test_a.py",
        ),
        (own_tests(12, problem="the tests took longer than 60 s"), "longer than 60 s"),
    ],
)
def test_fewer_are_not(history: History, actual: str) -> None:
    assert_failed(checks.tests_pass(history), actual)


def test_a_linter_that_ends_with_0_is_content() -> None:
    assert checks.linter_is_clean(Record().add(Linted(code=0)).history).passed


def test_what_a_linter_found_is_the_reason() -> None:
    record = Record().add(Log(instance="linter", stream="stdout", text="src/a.py:1:8: F401 unused"))
    assert_failed(
        checks.linter_is_clean(record.add(Linted(code=1)).history), "exit code 1: src/a.py:1:8: F401"
    )


def test_of_an_npm_script_the_findings_are_told() -> None:
    record = Record()
    for text in (
        "",
        "> gateway@1.0.0 lint",
        "> eslint .",
        "",
        "/src/app.js",
        "  3:7  error  'x' is never used",
    ):
        record = record.add(Log(instance="linter", stream="stdout", text=text))
    verdict = checks.linter_is_clean(record.add(Linted(code=1)).history)
    assert_failed(verdict, "exit code 1: /src/app.js 3:7 error 'x' is never used")


def test_a_linter_that_tells_nothing_fails_with_its_problem() -> None:
    record = Record().add(Linted(problem="no linter is installed with your packages"))
    assert_failed(checks.linter_is_clean(record.history), "no linter is installed")


def covered(*figures: tuple[int, int], problem: str = "") -> History:
    files = tuple(
        CoveredFile(file=f"src/{number}.py", executed=executed, lines=lines)
        for number, (executed, lines) in enumerate(figures)
    )
    return Record().add(Covered(files=files, problem=problem)).history


@pytest.mark.parametrize("figures", [[(7, 10)], [(70, 100), (0, 0)], [(0, 30), (70, 70)]])
def test_seventy_percent_of_the_lines_are_enough(figures: list[tuple[int, int]]) -> None:
    assert checks.tests_cover_the_service(covered(*figures)).passed


@pytest.mark.parametrize(
    ("history", "actual"),
    [
        (covered((6996, 10_000)), "69.9 % of 10000 lines"),
        (covered((60, 60), (0, 40), (9, 10)), "62.7 % of 110 lines; most of those that did not run: 40 of 40 in src/1.py"),
        (covered(), "no line that can run"),
        (covered(problem="pytest is not installed"), "pytest is not installed"),
    ],
)  # fmt: skip
def test_fewer_lines_are_not(history: History, actual: str) -> None:
    assert_failed(checks.tests_cover_the_service(history), actual)


def test_lines_that_nobody_counted_are_the_graders_failure() -> None:
    verdict = checks.tests_cover_the_service(Record().history)
    assert (verdict.status, verdict.blame) == ("not judged", "harness")


def retried(
    *,
    status: int = 200,
    calls: tuple[float, ...] = (0.0, 0.4, 1.2),
    refusal: int = 400,
    refused_calls: tuple[float, ...] = (0.0,),
    stream_calls: tuple[float, ...] = (0.0,),
) -> History:
    keys = (f"ref-{number}" for number in itertools.count())
    record = Record()
    for name in ("500", "503"):
        record.asked(f"passing: {name}", status, key=next(keys), calls=calls, after=2.0)
    record.asked("refusal: 400", refusal, key=next(keys), calls=refused_calls, after=2.0)
    return record.asked("broken stream", key=next(keys), calls=stream_calls, after=2.0).history


def lasting(attempts: int) -> History:
    record = Record()
    for _ in range(4):
        record.asked(
            "failing", 503, key="ref-1", calls=tuple(0.1 * one for one in range(attempts)), after=2.0
        )
    return record.asked("failing", 503, key="ref-1", calls=(0.0,), after=0.2).history


def test_failures_that_pass_are_retried() -> None:
    assert checks.failures_are_retried(retried(), lasting(8)).passed
    assert checks.failures_are_retried(retried(), lasting(1)).passed


def test_layers_multiply_their_attempts() -> None:
    assert_failed(checks.failures_are_retried(retried(), lasting(9)), "36 for 4 requests")


@pytest.mark.parametrize(
    ("changes", "actual"),
    [
        ({"status": 502}, "502 after"),
        ({"calls": (0.0, 0.5, 1.0)}, "0.50 s before the second attempt and 0.50 s"),
        ({"calls": (0.0, 0.001, 0.003)}, "0.00 s before"),
        ({"refused_calls": (0.0, 0.5)}, "2 calls"),
        ({"refusal": 200}, "200 after"),
        ({"stream_calls": (0.0, 0.5)}, "2 calls"),
    ],
)
def test_other_retries_are_found_out(changes: dict[str, Any], actual: str) -> None:
    assert_failed(checks.failures_are_retried(retried(**changes), lasting(3)), actual)


def broken(
    *,
    opens: bool = True,
    headers: dict[str, str] | None = None,
    after: float = 0.01,
    closed: int = 200,
    called: bool = False,
) -> History:
    record = Record()
    for _ in range(5):
        record.asked("failing", 503, key="ref-1", calls=(0.0,), after=0.2)
    if opens:
        record.asked("failing", 503, key="ref-1")
    told = {"retry-after": "9"} if headers is None else headers
    for _ in range(3):
        record.asked("open", 503, key="ref-1", headers=told, after=after, calls=(0.001,) if called else ())
    return record.asked("closing", closed).asked("closed", closed).history


def test_a_breaker_opens_and_closes() -> None:
    assert checks.breaker_protects(broken()).passed


@pytest.mark.parametrize(
    ("changes", "actual"),
    [
        ({"opens": False}, "still called after 5"),
        ({"called": True}, "with an open breaker: 503"),
        ({"headers": {}}, "no Retry-After"),
        ({"after": 3.0}, "503 after 3.00 s"),
        ({"closed": 503}, "503 after"),
    ],
)
def test_other_breakers_are_found_out(changes: dict[str, Any], actual: str) -> None:
    assert_failed(checks.breaker_protects(broken(**changes)), actual)


def counted(report: Any, *, usual: str = "counted", fault: int = 200, after: float = 0.05) -> History:
    """Return a history in which two requests use 84 tokens, and one more for each failure of PostgreSQL."""
    record = Record()
    for number in range(2):
        record.asked(usual, key=f"ref-{number}", calls=(0.0,), usage=USAGE, after=0.05)
    if usual == "usual":
        for name in OUTAGES.values:
            record.asked(name, fault, key=f"ref-{name}", calls=(0.0,), usage=USAGE, after=after)
    return record.asked("usage", body=report).history if report is not None else record.history


@pytest.mark.parametrize("report", [used(84), used(84)["total"], {"totals": used(84)["total"]}])
def test_usage_survives(report: Any) -> None:
    assert checks.usage_survives_a_kill(counted(report)).passed


@pytest.mark.parametrize(
    ("report", "actual"),
    [
        (used(42), "42 tokens after"),
        (used(168), "168 tokens"),
        ({"sum": 84}, "prompt_tokens is missing"),
        (None, "it did not"),
    ],
)
def test_usage_that_is_lost_or_counted_twice_is_found_out(report: Any, actual: str) -> None:
    assert_failed(checks.usage_survives_a_kill(counted(report)), actual)


def test_postgresql_may_be_down() -> None:
    assert checks.database_down_costs_nothing(counted(used(168), usual="usual")).passed


@pytest.mark.parametrize(
    ("history", "actual"),
    [
        (counted(used(168), usual="usual", fault=500), "500 after"),
        (counted(used(168), usual="usual", after=3.0), "200 after 3.00 s"),
        (counted(used(84), usual="usual"), "84 tokens after"),
        (counted(used(210), usual="usual"), "210 tokens"),
    ],
)
def test_what_postgresql_must_not_cost_is_found_out(history: History, actual: str) -> None:
    assert_failed(checks.database_down_costs_nothing(history), actual)


def stopped(
    *, status: int | None = 200, body: str = WHOLE, exits: float | None = 2.0, begun: bool = True
) -> History:
    record = Record()
    if begun:
        record.add(Part(request=1, text="data: "))
    record.add(Signalled(signal="SIGTERM"))
    record.asked("stopped stream", status, body=body, key=STREAM_KEY, after=1.0)
    if exits is not None:
        record.now = exits
        record.add(Exited(code=0))
    return record.history


def test_a_stream_is_finished() -> None:
    assert checks.shutdown_finishes_streams(stopped()).passed


@pytest.mark.parametrize(
    ("changes", "actual"),
    [
        ({"status": None}, "without its end"),
        ({"body": "data: {}\n\ndata: [DONE]\n\n"}, "without its end"),
        ({"exits": None}, "did not exit"),
        ({"exits": 31.0}, "31.0 s"),
        ({"begun": False}, "200 after"),
    ],
)
def test_a_stream_that_is_cut_is_found_out(changes: dict[str, Any], actual: str) -> None:
    assert_failed(checks.shutdown_finishes_streams(stopped(**changes)), actual)
