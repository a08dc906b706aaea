"""The checks of exercise 3 that need no circuit breaker; see test_opening.py and test_closing.py for those that do."""

import pytest

from chaos.history import Call, History, Probe, Reply, Stall
from exercises.exam.ex3_timeouts_limits_breaker import axes, checks
from exercises.exam.ex3_timeouts_limits_breaker.bodies import label
from exercises.exam.ex3_timeouts_limits_breaker.circuit import labelled
from tests.lab.story import Story


def _hang(status: int, after: float) -> History:
    story = Story("hang")
    request = story.ask("hanging")
    story.call(request, status=None)
    story.answer(request, status, after=after)
    return story.end()


def _hanging_crowd(*answers: tuple[int, str | None], ended: int = 0, reached: int = 9) -> History:
    """Requests hang at the model; `ended` of their calls have failed before the answers come."""
    story = Story("crowd")
    asked = [story.ask(labelled("failing", "hang")) for _ in range(max(len(answers), ended, 1))]
    for request in asked[:reached]:
        story.call(request, status=None)
    for number in [event.call for event in story.end().of(Call)][-len(asked[:reached]) :][:ended]:
        story.add(Reply(call=number, outcome="client-gone"))
    story.now += 20
    others: list[tuple[int, str | None]] = [(504, None)] * (len(asked) - len(answers))
    for request, (status, retry_after) in zip(asked, [*answers, *others], strict=True):
        headers = {"retry-after": retry_after} if retry_after else {}
        story.answer(request, status, headers=headers, started=story.now - 20)
    return story.end()


_ALL_LATE = _hanging_crowd((504, None))


@pytest.mark.parametrize("after", [20.0, 30.0, 34.9])
def test_deadline_passes_a_504_within_bound_and_tolerance(after: float) -> None:
    verdict = checks.deadline(_hang(504, after), _ALL_LATE)

    assert verdict.passed
    assert f"504 after {after:.2f} s" in verdict.actual


@pytest.mark.parametrize(("status", "after"), [(500, 20.0), (503, 1.0), (200, 5.0), (504, 35.5)])
def test_deadline_fails_another_status_and_a_late_504(status: int, after: float) -> None:
    verdict = checks.deadline(_hang(status, after), _ALL_LATE)

    assert verdict.status == "failed"
    assert f"{status} after" in verdict.actual
    assert verdict.evidence


def test_deadline_fails_no_answer_and_names_the_attempts() -> None:
    story = Story("hang")
    request = story.ask("hanging")
    for _ in range(3):
        story.call(request, lasting=10, status=None)
    story.fail(request, after=6)

    verdict = checks.deadline(story.end(), _ALL_LATE)

    assert verdict.status == "failed"
    assert "called 3 times" in verdict.actual
    assert any(isinstance(event, Call) for event in verdict.evidence)


def test_deadline_fails_a_service_that_does_not_call_the_model() -> None:
    story = Story("hang")
    story.answer(story.ask("hanging"), 504)

    assert checks.deadline(story.end(), _ALL_LATE).status == "failed"


def test_deadline_blames_the_machine_where_the_lab_stood_still() -> None:
    story = Story("hang")
    request = story.ask("hanging")
    story.call(request, status=None)
    story.now += 33
    story.add(Stall(seconds=6.0))
    story.answer(request, 504, after=3.5, started=story.now - 33)

    verdict = checks.deadline(story.end(), _ALL_LATE)

    assert (verdict.status, verdict.blame) == ("not judged", "machine")


@pytest.mark.parametrize(
    "crowd",
    [
        _hanging_crowd((504, None), (504, None)),
        _hanging_crowd((503, "10"), ended=5),  # the breaker has opened meanwhile
        _hanging_crowd((503, "1"), (504, None), reached=0),  # a bulkhead turned them away
    ],
)
def test_deadline_passes_a_crowd_that_a_breaker_or_a_bulkhead_turned_away(crowd: History) -> None:
    assert checks.deadline(_hang(504, 20), crowd).passed


@pytest.mark.parametrize(
    "crowd",
    [
        _hanging_crowd((504, None), (500, None)),
        _hanging_crowd((503, None), ended=5),
        _hanging_crowd((503, "10"), ended=4),
        _hanging_crowd((500, None), reached=0),
    ],
)
def test_deadline_fails_another_answer_to_one_of_a_crowd(crowd: History) -> None:
    assert checks.deadline(_hang(504, 20), crowd).status == "failed"


@pytest.mark.parametrize(("after", "fine"), [(28.0, True), (54.0, False)])
def test_deadline_spans_attempts_that_fail_late(after: float, *, fine: bool) -> None:
    story = Story("crowd")
    request = story.ask(labelled("late", "reset"))
    story.call(request, status=503)
    story.answer(request, 502, after=after)

    assert checks.deadline(_hang(504, 20), story.end()).passed is fine


@pytest.mark.parametrize(("after", "fine"), [(20.0, True), (54.0, False)])
def test_deadline_holds_for_every_model(after: float, *, fine: bool) -> None:
    story = Story("crowd")
    request = story.ask(labelled("hanging", "gemini-third"))
    story.call(request)
    story.answer(request, 504, after=after)

    assert checks.deadline(_hang(504, 20), story.end()).passed is fine


def _unreachable(status: int | None, after: float, *, probe: bool = True) -> History:
    story = Story("blackhole")
    if probe:
        story.add(Probe(upstream="litellm", outcome="timeout"))
    request = story.ask("unreachable")
    if status:
        story.answer(request, status, after=after)
    else:
        story.fail(request, after=after)
    return story.end()


def _refused(status: int) -> History:
    story = Story("half_open")
    story.answer(story.ask(labelled("failing", "refused")), status, after=1)
    return story.end()


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_unreachable_passes_any_server_error_in_time(status: int) -> None:
    assert checks.unreachable(_unreachable(status, 12), _refused(status)).passed


@pytest.mark.parametrize(("status", "after"), [(None, 36.0), (503, 40.0), (200, 1.0), (401, 1.0)])
def test_unreachable_fails_late_and_wrong_answers(status: int | None, after: float) -> None:
    assert checks.unreachable(_unreachable(status, after), _refused(502)).status == "failed"


def test_unreachable_fails_a_wrong_answer_to_a_refused_connection() -> None:
    assert checks.unreachable(_unreachable(503, 12), _refused(200)).status == "failed"


def test_unreachable_is_not_judged_where_the_fault_did_not_bite() -> None:
    verdict = checks.unreachable(_unreachable(503, 1, probe=False), _refused(502))

    assert (verdict.status, verdict.blame) == ("not judged", "harness")


_FINE = {
    **dict.fromkeys(axes.LARGE_BODIES.values, 413),
    **dict.fromkeys(axes.SMALL_BODIES.values, 200),
}


def _bodies(endpoint: str = "login", **other: int | None) -> History:
    """Bodies are sent to both endpoints; at one of them, bodies whose names have a word in them meet another end."""
    story = Story("callers")
    for name, path in (("login", "/auth/login"), ("ask", "/llm/generate")):
        for body, usual in _FINE.items():
            status: int | None = usual
            for word, instead in other.items():
                if name == endpoint and word.replace("_", " ") in body:
                    status = instead
            request = story.ask(label(name, body), path=path)
            if status is None:
                story.fail(request, after=10)
            else:
                story.answer(request, status)
    return story.end()


@pytest.mark.parametrize(
    "other", [{}, {"chunks": 411}, {"token": 401}, {"text": 415}, {"MB_with_a": 413, "0.9_MB": 422}]
)
@pytest.mark.parametrize("endpoint", ["login", "ask"])
def test_body_limit_passes(endpoint: str, other: dict[str, int | None]) -> None:
    assert checks.body_limit(_bodies(endpoint, **other)).passed


@pytest.mark.parametrize(
    ("other", "where"),
    [
        ({"1.2_MB_with": 200}, "1.2 MB with a Content-Length"),
        ({"1.2_MB_in": 422}, "1.2 MB in chunks"),
        ({"40_MB_with": None}, "while most of the body is still to come"),
        ({"40_MB_in": None}, "while most of the body is still to come"),
        ({"text": 422}, "40 MB of text"),
        ({"token": None}, "without a token"),
        ({"0.9_MB": 413}, "0.9 MB"),
        ({"0.9_MB_with": 411}, "0.9 MB"),
        ({"0.9_MB_in": 500}, "0.9 MB"),
        ({"0.9_MB_in": 400}, "0.9 MB"),
        ({"1.2_MB_with": 500}, "1.2 MB"),
    ],
)
@pytest.mark.parametrize("endpoint", ["login", "ask"])
def test_body_limit_fails(endpoint: str, other: dict[str, int | None], where: str) -> None:
    verdict = checks.body_limit(_bodies(endpoint, **other))

    assert verdict.status == "failed"
    assert where in verdict.expected
    assert ("login" if endpoint == "login" else "generate") in verdict.expected


def test_body_limit_fails_where_the_model_was_asked_all_the_same() -> None:
    story = Story("callers")
    request = story.ask(label("ask", "1.2 MB in chunks"))
    story.call(request)
    story.answer(request, 413)

    assert checks.body_limit(story.end()).status == "failed"


def _drip(status: int | None, after: float) -> History:
    story = Story("drip")
    asked = [story.ask(labelled("failing", "drip")) for _ in range(2)]
    for request in asked:
        story.call(request, status=None)
    story.answer(asked[0], 504, after=20)
    if status:
        story.answer(asked[1], status, after=after - 20, started=story.now - 20)
    else:
        story.fail(asked[1], after=after)
    return story.end()


@pytest.mark.parametrize("status", [502, 503, 504])
def test_drip_is_cut_passes(status: int) -> None:
    assert checks.drip_is_cut(_drip(status, 21)).passed


@pytest.mark.parametrize(("status", "after"), [(None, 36.0), (500, 20.0), (504, 36.0)])
def test_drip_is_cut_fails(status: int | None, after: float) -> None:
    assert checks.drip_is_cut(_drip(status, after)).status == "failed"


def _crowd(
    after: float, *, status: int = 200, held: int = 20, samples: int = 8, elsewhere: float = 0.1
) -> History:
    story = Story("crowd")
    for number in range(20):
        request = story.ask(labelled("failing", "hang"))
        if number < held:
            story.call(request, status=None)
    for _ in range(samples):
        story.answer(story.ask("health", path="/health", method="GET"), status, after=after)
    for path in ("/auth/me", "/metrics"):
        story.answer(story.ask("bystander", path=path, method="GET"), 404, after=elsewhere)
    return story.end()


def test_others_are_served_passes_prompt_health() -> None:
    assert checks.others_are_served(_crowd(0.05)).passed


@pytest.mark.parametrize(("after", "status"), [(1.5, 200), (0.01, 503)])
def test_others_are_served_fails_slow_or_unwell_health(after: float, status: int) -> None:
    assert checks.others_are_served(_crowd(after, status=status)).status == "failed"


def test_others_are_served_fails_other_endpoints_that_wait() -> None:
    verdict = checks.others_are_served(_crowd(0.05, elsewhere=4.5))

    assert verdict.status == "failed"
    assert "/auth/me" in verdict.actual


def test_others_are_served_fails_a_blocked_loop_that_let_only_one_call_out() -> None:
    story = Story("crowd")
    story.call(story.ask(labelled("failing", "hang")), status=None)
    for _ in range(8):
        story.fail(story.ask("health", path="/health", method="GET"), after=5)

    verdict = checks.others_are_served(story.end())

    assert verdict.status == "failed"
    assert "8 of 8" in verdict.actual


def test_others_are_served_is_not_judged_where_nothing_hangs() -> None:
    assert checks.others_are_served(_crowd(0.05, held=0)).status == "not judged"
