import pytest

from chaos.history import Call, History, Probe, Reply, Stall, Workers
from exercises.exam.ex3_timeouts_limits_breaker import checks
from tests.lab.story import Story, held_up


def _hang(status: int, after: float) -> History:
    story = Story("hang")
    request = story.ask("hanging")
    story.call(request, status=None)
    story.answer(request, status, after=after)
    return story.end()


@pytest.mark.parametrize("after", [20.0, 30.0, 34.9])
def test_deadline_passes_a_504_within_bound_and_tolerance(after: float) -> None:
    verdict = checks.deadline(_hang(504, after))

    assert verdict.passed
    assert f"504 after {after:.2f} s" in verdict.actual


@pytest.mark.parametrize(("status", "after"), [(500, 20.0), (503, 1.0), (200, 5.0), (504, 35.5)])
def test_deadline_fails_another_status_and_a_late_504(status: int, after: float) -> None:
    verdict = checks.deadline(_hang(status, after))

    assert verdict.status == "failed"
    assert f"{status} after" in verdict.actual
    assert verdict.evidence


def test_deadline_fails_no_answer_and_names_the_attempts() -> None:
    story = Story("hang")
    request = story.ask("hanging")
    for _ in range(3):
        story.call(request, lasting=10, status=None)
    story.fail(request, after=6)

    verdict = checks.deadline(story.end())

    assert verdict.status == "failed"
    assert "called 3 times" in verdict.actual
    assert any(isinstance(event, Call) for event in verdict.evidence)


def test_deadline_fails_a_service_that_does_not_call_the_model() -> None:
    story = Story("hang")
    story.answer(story.ask("hanging"), 504)

    assert checks.deadline(story.end()).status == "failed"


def test_deadline_blames_the_machine_where_the_lab_stood_still() -> None:
    story = Story("hang")
    request = story.ask("hanging")
    story.call(request, status=None)
    story.now += 33
    story.add(Stall(seconds=6.0))
    story.answer(request, 504, after=3.5, started=story.now - 33)

    verdict = checks.deadline(story.end())

    assert (verdict.status, verdict.blame) == ("not judged", "machine")


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


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_unreachable_passes_any_server_error_in_time(status: int) -> None:
    assert checks.unreachable(_unreachable(status, 12)).passed


@pytest.mark.parametrize(("status", "after"), [(None, 36.0), (503, 40.0), (200, 1.0), (401, 1.0)])
def test_unreachable_fails_late_and_wrong_answers(status: int | None, after: float) -> None:
    assert checks.unreachable(_unreachable(status, after)).status == "failed"


def test_unreachable_is_not_judged_where_the_fault_did_not_bite() -> None:
    verdict = checks.unreachable(_unreachable(503, 1, probe=False))

    assert (verdict.status, verdict.blame) == ("not judged", "harness")


def _bodies(under: int, over: int | None, chunked: int | None) -> History:
    story = Story("bodies")
    for label, status in (("under", under), ("over", over), ("over-chunked", chunked)):
        request = story.ask(label)
        if status is None:
            story.fail(request, "reset", after=0.1)
        else:
            story.answer(request, status)
    return story.end()


@pytest.mark.parametrize(("under", "over", "chunked"), [(200, 413, 413), (200, 413, 411), (422, 413, 413)])
def test_body_limit_passes(under: int, over: int, chunked: int) -> None:
    assert checks.body_limit(_bodies(under, over, chunked)).passed


@pytest.mark.parametrize(
    ("under", "over", "chunked", "where"),
    [
        (200, 200, 413, "Content-Length"),
        (200, 413, 200, "chunked"),
        (413, 413, 413, "0.9 MB"),
        (200, 411, 413, "Content-Length"),
        (200, 500, 413, "Content-Length"),
        (500, 413, 413, "0.9 MB"),
        (200, None, 413, "Content-Length"),
        (200, 413, None, "chunked"),
    ],
)
def test_body_limit_fails(under: int, over: int | None, chunked: int | None, where: str) -> None:
    verdict = checks.body_limit(_bodies(under, over, chunked))

    assert verdict.status == "failed"
    assert where in verdict.expected


def _outage(story: Story, *, calls_each: int = 1) -> None:
    for _ in range(5):
        request = story.ask("failing")
        for _ in range(calls_each):
            story.call(request, status=503)
        story.answer(request, 502)


def _open(story: Story) -> None:
    for _ in range(5):
        story.reject("rejected")


def test_breaker_opens_passes_prompt_rejections_without_calls() -> None:
    story = Story("breaker")
    _outage(story)
    _open(story)

    verdict = checks.breaker_opens(story.end())

    assert verdict.passed
    assert "open after 5 failed calls" in verdict.actual


def test_breaker_opens_fails_where_the_model_is_still_called() -> None:
    story = Story("breaker")
    _outage(story)
    for _ in range(5):
        request = story.ask("rejected")
        story.call(request, status=503)
        story.answer(request, 503, headers={"retry-after": "10"})

    verdict = checks.breaker_opens(story.end())

    assert verdict.status == "failed"
    assert "still called" in verdict.actual


@pytest.mark.parametrize(
    ("status", "retry_after", "after", "actual"),
    [
        (500, "10", 0.01, "500"),
        (503, None, 0.01, "without a legible Retry-After"),
        (503, "soon", 0.01, "without a legible Retry-After"),
        (503, "10", 1.4, "5 of 5 did not: 503 after 1.40 s"),
    ],
)
def test_breaker_opens_fails_other_rejections(
    status: int, retry_after: str | None, after: float, actual: str
) -> None:
    story = Story("breaker")
    _outage(story)
    for _ in range(5):
        story.reject("rejected", status, retry_after=retry_after, after=after)

    verdict = checks.breaker_opens(story.end())

    assert verdict.status == "failed"
    assert actual in verdict.actual


def test_breaker_opens_forgives_one_slow_sample() -> None:
    story = Story("breaker")
    _outage(story)
    story.reject("rejected", after=1.4)
    for _ in range(4):
        story.reject("rejected")

    assert checks.breaker_opens(story.end()).passed


def test_breaker_opens_blames_the_machine_where_every_slow_answer_met_a_stall() -> None:
    story = Story("breaker")
    _outage(story)
    for _ in range(5):
        request = story.ask("rejected")
        story.now += 1.2
        story.add(Stall(seconds=1.1))
        story.answer(request, 503, headers={"retry-after": "10"}, started=story.now - 1.2)

    verdict = checks.breaker_opens(story.end())

    assert (verdict.status, verdict.blame) == ("not judged", "machine")


def _two_workers(*, late_failures: int, rejections: int) -> History:
    """The second worker meets its failures only when the first one's breaker is open already."""
    story = Story("breaker")
    story.add(Workers(count=2))
    _outage(story)
    for _ in range(late_failures):
        story.reject("rejected")
        request = story.ask("rejected")
        story.call(request, status=503)
        story.answer(request, 502)
    for _ in range(rejections):
        story.reject("rejected")
    return story.end()


@pytest.mark.parametrize("late_failures", [0, 1, 10])
def test_breaker_opens_passes_breakers_of_several_workers(late_failures: int) -> None:
    assert checks.breaker_opens(_two_workers(late_failures=late_failures, rejections=24)).passed


@pytest.mark.parametrize(("late_failures", "rejections"), [(11, 24), (3, 0)])
def test_breaker_opens_fails_several_workers_that_go_on_calling(late_failures: int, rejections: int) -> None:
    verdict = checks.breaker_opens(_two_workers(late_failures=late_failures, rejections=rejections))

    assert verdict.status == "failed"
    assert f"{5 + late_failures} requests reached the failing model, with 2 workers" in verdict.actual


def test_breaker_opens_allows_no_late_failure_in_a_single_worker() -> None:
    story = Story("breaker")
    story.add(Workers(count=1))
    _outage(story)
    request = story.ask("rejected")
    story.call(request, status=503)
    story.answer(request, 502)
    _open(story)

    assert checks.breaker_opens(story.end()).status == "failed"


def test_breaker_opens_is_not_judged_where_nothing_reached_the_failing_model() -> None:
    story = Story("breaker")
    for _ in range(5):
        story.answer(story.ask("failing"), 429)
    _open(story)

    assert checks.breaker_opens(story.end()).status == "not judged"


def _recovery(*, probes: int = 1, recovered: bool = True, workers: int = 1) -> History:
    story = Story("breaker")
    story.add(Workers(count=workers))
    _outage(story)
    _open(story)
    story.now += 10
    callers = [story.ask("caller") for _ in range(50)]
    for caller in callers[:probes]:
        story.call(caller, status=None)
    story.now += 1
    numbers = [event.call for event in story.end().of(Call)][-probes:]
    for number, caller in zip(numbers, callers, strict=False):
        story.add(Reply(call=number, outcome="answered", status=200))
        story.answer(caller)
    for caller in callers[probes:]:
        story.answer(caller, 503)
    _recovered(story, recovered=recovered)
    return story.end()


def _half_open(*, recovered: bool = True, opened: bool = True) -> History:
    story = Story("half_open")
    _outage(story)
    if opened:
        _open(story)
    else:
        for _ in range(5):
            request = story.ask("rejected")
            story.call(request, status=503)
            story.answer(request, 502)
    story.now += 10
    story.answer(story.ask("cached"))
    _recovered(story, recovered=recovered)
    return story.end()


def _recovered(story: Story, *, recovered: bool) -> None:
    for _ in range(3):
        if recovered:
            story.serve("recovered")
        else:
            story.reject("recovered")


@pytest.mark.parametrize("probes", [1, 3, 10])
def test_breaker_closes_passes_recovery_with_few_probes(probes: int) -> None:
    assert checks.breaker_closes(_recovery(probes=probes), _half_open()).passed


def test_breaker_closes_allows_the_probes_of_each_worker() -> None:
    assert checks.breaker_closes(_recovery(probes=20, workers=2), _half_open()).passed
    assert checks.breaker_closes(_recovery(probes=11), _half_open()).status == "failed"
    assert checks.breaker_closes(_recovery(probes=21, workers=2), _half_open()).status == "failed"


def test_breaker_closes_fails_where_all_callers_are_let_through() -> None:
    verdict = checks.breaker_closes(_recovery(probes=50), _half_open())

    assert verdict.status == "failed"
    assert verdict.actual == "50 reached it"


def test_breaker_closes_fails_a_breaker_that_stays_open() -> None:
    verdict = checks.breaker_closes(_recovery(recovered=False), _half_open())

    assert verdict.status == "failed"
    assert "503" in verdict.actual


def test_breaker_closes_fails_a_slot_that_is_never_given_back() -> None:
    verdict = checks.breaker_closes(_recovery(), _half_open(recovered=False))

    assert verdict.status == "failed"
    assert "cached prompt" in verdict.expected


def test_breaker_closes_fails_a_service_without_a_breaker() -> None:
    verdict = checks.breaker_closes(_recovery(), _half_open(opened=False))

    assert verdict.status == "failed"
    assert "never opened" in verdict.actual


def _client_errors(*, after_errors: bool = True, after_aborts: bool = True, reached: bool = True) -> History:
    story = Story("client_errors")
    for status in (400, 401, 403, 404, 422) * 2:
        request = story.ask("client-error")
        if reached:
            story.call(request, status=status)
        story.answer(request, status)
    for label, served in (("after-client-errors", after_errors), ("after-aborts", after_aborts)):
        if label == "after-aborts":
            for _ in range(8):
                request = story.ask("abort")
                story.call(request)
                story.fail(request, "aborted", after=0.1)
        if served:
            story.serve(label)
        else:
            story.reject(label)
    return story.end()


def test_client_errors_spare_breaker_passes() -> None:
    assert checks.client_errors_spare_breaker(_client_errors(), _recovery()).passed


def test_client_errors_spare_breaker_fails_where_refusals_open_it() -> None:
    verdict = checks.client_errors_spare_breaker(_client_errors(after_errors=False), _recovery())

    assert verdict.status == "failed"
    assert "404" in verdict.expected
    assert "not called" in verdict.actual


def test_client_errors_spare_breaker_fails_where_aborts_open_it() -> None:
    verdict = checks.client_errors_spare_breaker(_client_errors(after_aborts=False), _recovery())

    assert verdict.status == "failed"
    assert "hung up" in verdict.expected


def test_client_errors_spare_breaker_is_not_judged_where_none_reached_the_model() -> None:
    assert (
        checks.client_errors_spare_breaker(_client_errors(reached=False), _recovery()).status == "not judged"
    )


def test_client_errors_spare_breaker_is_not_judged_without_a_breaker() -> None:
    verdict = checks.client_errors_spare_breaker(_client_errors(), _half_open(opened=False))

    assert (verdict.status, verdict.blame) == ("not judged", "submission")


def _drip(status: int | None, after: float) -> History:
    story = Story("drip")
    request = story.ask("dripping")
    story.call(request, status=None)
    if status:
        story.answer(request, status, after=after)
    else:
        story.fail(request, after=after)
    return story.end()


@pytest.mark.parametrize("status", [502, 503, 504])
def test_drip_is_cut_passes(status: int) -> None:
    assert checks.drip_is_cut(_drip(status, 20)).passed


@pytest.mark.parametrize(("status", "after"), [(None, 36.0), (500, 20.0), (504, 36.0)])
def test_drip_is_cut_fails(status: int | None, after: float) -> None:
    assert checks.drip_is_cut(_drip(status, after)).status == "failed"


def _crowd(after: float, *, status: int = 200, held: int = 20, samples: int = 8) -> History:
    story = Story("crowd")
    for number in range(20):
        request = story.ask("hanging")
        if number < held:
            story.call(request, status=None)
    for _ in range(samples):
        story.answer(story.ask("health", path="/health", method="GET"), status, after=after)
    return story.end()


def test_others_are_served_passes_prompt_health() -> None:
    assert checks.others_are_served(_crowd(0.05)).passed


@pytest.mark.parametrize(("after", "status"), [(1.5, 200), (0.01, 503)])
def test_others_are_served_fails_slow_or_unwell_health(after: float, status: int) -> None:
    assert checks.others_are_served(_crowd(after, status=status)).status == "failed"


def test_others_are_served_fails_a_blocked_loop_that_let_only_one_call_out() -> None:
    story = Story("crowd")
    story.call(story.ask("hanging"), status=None)
    for _ in range(8):
        story.fail(story.ask("health", path="/health", method="GET"), after=5)

    verdict = checks.others_are_served(story.end())

    assert verdict.status == "failed"
    assert "8 of 8" in verdict.actual


def test_others_are_served_is_not_judged_where_nothing_hangs() -> None:
    assert checks.others_are_served(_crowd(0.05, held=0)).status == "not judged"


def test_breaker_closes_is_not_judged_where_the_order_of_many_calls_is_not_known() -> None:
    """After a stall, the first probe's answer may go out before the calls that came with it are seen."""
    story = Story("breaker")
    _outage(story)
    _open(story)
    callers = [story.ask("caller") for _ in range(50)]
    story.call(callers[0], lasting=3.0)
    story.add(Stall(seconds=3.0))
    for caller in callers[1:]:
        story.call(caller)
    for caller in callers:
        story.answer(caller)
    story.serve("recovered")

    verdict = checks.breaker_closes(story.end(), _half_open())

    assert (verdict.status, verdict.blame) == ("not judged", "machine")


def test_breaker_closes_passes_few_probes_in_spite_of_a_stall() -> None:
    history = _recovery(probes=3)

    assert checks.breaker_closes(held_up(history, history.events[-1].t, 2.0), _half_open()).passed
