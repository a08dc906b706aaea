import pytest

from chaos.history import Stall, Workers
from exercises.exam.ex3_timeouts_limits_breaker import checks
from exercises.exam.ex3_timeouts_limits_breaker.axes import OUTAGES
from exercises.exam.ex3_timeouts_limits_breaker.circuit import labelled
from lab.verdict import Verdict
from tests.exercises.exam.ex3_timeouts_limits_breaker.outages import USUAL, call_on, fail, reject
from tests.lab.story import Story


def _judge(story: Story) -> Verdict:
    """Judge one outage, with no others beside it."""
    others = {name: Story(name).end() for name in ("half_open", "callers", "crowd", "drip", "blackhole")}
    return checks.breaker_opens(breaker=story.end(), **others)


def _without_calls(kind: str) -> bool:
    return kind in {"refused", "unreachable"}


@pytest.mark.parametrize("kind", OUTAGES.values)
def test_breaker_opens_passes_prompt_rejections_without_calls(kind: str) -> None:
    story = Story("breaker")
    fail(story, kind, calls_each=0 if _without_calls(kind) else 1)
    reject(story, kind)

    verdict = _judge(story)

    assert verdict.passed
    assert kind in verdict.actual


@pytest.mark.parametrize("kind", OUTAGES.values)
def test_breaker_opens_fails_one_that_does_not_count_a_kind_of_failure(kind: str) -> None:
    story = Story("breaker")
    fail(story)
    reject(story)
    fail(story, kind, calls_each=0 if _without_calls(kind) else 1)
    call_on(story, kind)

    verdict = _judge(story)

    assert verdict.status == "failed"
    assert kind in verdict.expected
    assert "still called" in verdict.actual


@pytest.mark.parametrize("kind", ["hang", "drip"])
def test_breaker_opens_does_not_ask_for_more_than_the_deadline_has_failed(kind: str) -> None:
    story = Story("breaker")
    fail(story)
    reject(story)
    fail(story, kind, requests=4, status=504)
    call_on(story, kind)

    assert _judge(story).passed


@pytest.mark.parametrize(
    ("status", "retry_after", "after", "actual"),
    [
        (500, "10", 0.01, "500"),
        (503, None, 0.01, "without a readable Retry-After"),
        (503, "soon", 0.01, "without a readable Retry-After"),
        (503, "10", 1.4, "5 of 5 did not: 503 after 1.40 s"),
    ],
)
def test_breaker_opens_fails_other_rejections(
    status: int, retry_after: str | None, after: float, actual: str
) -> None:
    story = Story("breaker")
    fail(story)
    for _ in range(5):
        story.reject(labelled("rejected", USUAL), status, retry_after=retry_after, after=after)

    verdict = _judge(story)

    assert verdict.status == "failed"
    assert actual in verdict.actual


def test_breaker_opens_passes_a_date_in_retry_after() -> None:
    story = Story("breaker")
    fail(story)
    reject(story, retry_after="Fri, 27 Nov 2026 10:00:10 GMT")

    assert _judge(story).passed


def test_breaker_opens_forgives_one_slow_sample() -> None:
    story = Story("breaker")
    fail(story)
    story.reject(labelled("rejected", USUAL), after=1.4)
    reject(story, count=4)

    assert _judge(story).passed


def test_breaker_opens_blames_the_machine_where_every_slow_answer_met_a_stall() -> None:
    story = Story("breaker")
    fail(story)
    for _ in range(5):
        request = story.ask(labelled("rejected", USUAL))
        story.now += 1.2
        story.add(Stall(seconds=1.1))
        story.answer(request, 503, headers={"retry-after": "10"}, started=story.now - 1.2)

    verdict = _judge(story)

    assert (verdict.status, verdict.blame) == ("not judged", "machine")


@pytest.mark.parametrize(("waited", "fine"), [(0.0, False), (3.0, True)])
def test_breaker_opens_takes_a_call_after_the_cool_down_for_a_probe(waited: float, *, fine: bool) -> None:
    story = Story("breaker")
    fail(story)
    reject(story, count=2, retry_after="3")
    story.now += waited
    call_on(story)

    assert _judge(story).passed is fine


def test_breaker_opens_fails_calls_that_nobody_asked_for() -> None:
    story = Story("breaker")
    fail(story)
    given_up = story.ask("other")
    reject(story, count=3)
    story.call(given_up, status=503)
    reject(story, count=2)

    verdict = _judge(story)

    assert verdict.status == "failed"
    assert "no request asked" in verdict.actual


def _two_workers(*, late_failures: int, rejections: int, kind: str = USUAL) -> Story:
    """The second worker meets its failures only when the first one's breaker is open already."""
    story = Story("breaker")
    story.add(Workers(count=2))
    fail(story, kind)
    for _ in range(late_failures):
        reject(story, kind, count=1)
        call_on(story, kind)
    reject(story, kind, count=rejections)
    return story


@pytest.mark.parametrize("late_failures", [0, 1, 10])
def test_breaker_opens_passes_breakers_of_several_workers(late_failures: int) -> None:
    assert _judge(_two_workers(late_failures=late_failures, rejections=24)).passed


def test_breaker_opens_fails_several_workers_that_go_on_calling() -> None:
    verdict = _judge(_two_workers(late_failures=11, rejections=0))

    assert verdict.status == "failed"
    assert "2 workers" in verdict.actual


def test_breaker_opens_asks_one_of_several_workers_to_notice_a_reset() -> None:
    assert _judge(_two_workers(late_failures=3, rejections=1, kind="reset")).passed
    assert _judge(_two_workers(late_failures=0, rejections=0, kind="reset")).status == "failed"


def test_breaker_opens_allows_no_late_failure_in_a_single_worker() -> None:
    story = Story("breaker")
    story.add(Workers(count=1))
    fail(story)
    call_on(story)
    reject(story)

    assert _judge(story).status == "failed"


def test_breaker_opens_is_not_judged_where_nothing_reached_the_failing_model() -> None:
    story = Story("breaker")
    fail(story, calls_each=0, status=429)
    reject(story)

    assert _judge(story).status == "not judged"
