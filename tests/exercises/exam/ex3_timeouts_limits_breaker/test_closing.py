import pytest

from chaos.history import Call, History, Phase, Reply, Stall, Workers
from exercises.exam.ex3_timeouts_limits_breaker import checks
from exercises.exam.ex3_timeouts_limits_breaker.axes import CLIENT_ERRORS, OTHERS_DOWN
from exercises.exam.ex3_timeouts_limits_breaker.circuit import labelled
from lab.verdict import Verdict
from tests.exercises.exam.ex3_timeouts_limits_breaker.outages import USUAL, call_on, fail, reject
from tests.lab.story import Story, held_up


def _recovered(
    story: Story, *, served: int = 3, at_once: int = 6, turned_away: int = 0, kind: str = USUAL
) -> None:
    for _ in range(3):
        if served:
            story.serve(labelled("recovered", kind))
        else:
            story.reject(labelled("recovered", kind))
    if served:
        for _ in range(at_once):
            story.serve(labelled("recovered at once", kind))
        for _ in range(turned_away):
            story.reject(labelled("recovered at once", kind), retry_after="1")


def _recovery(
    *,
    probes: int = 1,
    served: int = 3,
    turned_away: int = 0,
    workers: int = 1,
    ill: int = 1,
    calls_each: int = 1,
    callers: int = 50,
    turned_away_with: int = 503,
    never_arrives: bool = False,
    outlived: bool = False,
) -> History:
    """Of those who meet the outage, `never_arrives` leaves what the model answers on its way.

    `outlived` has a call go on whose caller has left, and be answered when the model is healthy again.
    """
    story = Story("breaker")
    story.add(Workers(count=workers))
    fail(story)
    reject(story)
    story.now += 10
    for number in range(12):
        request = story.ask(labelled("ill", USUAL))
        for _ in range(calls_each if number < ill else 0):
            story.call(request, status=200 if never_arrives else 503)
        story.answer(request, 502 if number < ill else 503)
    left = story.ask("abort of a probe")
    story.fail(left, "aborted")
    story.add(Phase(name="recovery"))
    if outlived:
        story.call(left)
    story.now += 10
    asked = [story.ask(labelled("caller", USUAL)) for _ in range(callers)]
    for caller in asked[:probes]:
        story.call(caller, status=None)
    story.now += 1
    numbers = [event.call for event in story.end().of(Call)][-probes:]
    for number, caller in zip(numbers, asked, strict=False):
        story.add(Reply(call=number, outcome="answered", status=200))
        story.answer(caller)
    for caller in asked[probes:]:
        story.answer(caller, turned_away_with)
    _recovered(story, served=served, at_once=6 - turned_away, turned_away=turned_away)
    return story.end()


def _half_open(*, served: int = 3, opened: bool = True) -> History:
    story = Story("half_open")
    fail(story)
    if not opened:
        call_on(story)
        return story.end()
    reject(story)
    story.now += 10
    story.answer(story.ask("cached"))
    _recovered(story, served=served)
    return story.end()


def _crowd(reached: int = 18) -> History:
    story = Story("crowd")
    for _ in range(reached):
        story.call(story.ask(labelled("failing", "hang")), status=None)
    return story.end()


def _drip(*, served: int = 3, opened: bool = True) -> History:
    story = Story("drip")
    fail(story, "drip", status=504)
    if opened:
        reject(story, "drip")
        story.now += 10.5
        _recovered(story, served=served, kind="drip")
    else:
        call_on(story, "drip")
    return story.end()


def _judge(
    breaker: History,
    half_open: History | None = None,
    *,
    crowd: History | None = None,
    drip: History | None = None,
) -> Verdict:
    other = _half_open()
    return checks.breaker_closes(breaker, half_open or other, other, crowd or _crowd(), drip or _drip())


@pytest.mark.parametrize("probes", [1, 3, 10])
def test_breaker_closes_passes_recovery_with_few_probes(probes: int) -> None:
    assert _judge(_recovery(probes=probes)).passed


def test_breaker_closes_allows_the_probes_of_each_worker() -> None:
    assert _judge(_recovery(probes=20, workers=2)).passed
    assert _judge(_recovery(probes=11)).status == "failed"
    assert _judge(_recovery(probes=21, workers=2)).status == "failed"


def test_breaker_closes_fails_where_all_callers_are_let_through() -> None:
    verdict = _judge(_recovery(probes=50))

    assert verdict.status == "failed"
    assert verdict.actual == "50 of them reached it"


def test_breaker_closes_counts_the_callers_who_are_let_in_and_not_their_retries() -> None:
    assert _judge(_recovery(ill=3, calls_each=4)).passed


def test_breaker_closes_fails_where_all_reach_a_model_that_is_still_ill() -> None:
    assert _judge(_recovery(ill=10)).passed
    verdict = _judge(_recovery(ill=12))

    assert verdict.status == "failed"
    assert "fails its first probes" in verdict.expected


def test_breaker_closes_counts_whom_a_model_fails_whose_answers_never_arrive() -> None:
    assert _judge(_recovery(ill=10, never_arrives=True)).passed
    assert _judge(_recovery(ill=12, never_arrives=True)).status == "failed"


def test_breaker_closes_passes_all_callers_once_a_call_that_outlived_its_caller_has_closed_it() -> None:
    assert _judge(_recovery(probes=50, outlived=True)).passed


def test_breaker_closes_fails_a_breaker_that_stays_open() -> None:
    verdict = _judge(_recovery(served=0))

    assert verdict.status == "failed"
    assert "503" in verdict.actual


def test_breaker_closes_fails_a_breaker_that_the_deadline_has_opened_for_good() -> None:
    verdict = _judge(_recovery(), drip=_drip(served=0))

    assert verdict.status == "failed"
    assert "met the deadline" in verdict.expected


def test_breaker_closes_leaves_it_to_others_whether_the_deadline_opens_it() -> None:
    assert _judge(_recovery(), drip=_drip(opened=False)).passed


def test_breaker_closes_fails_one_request_at_a_time_for_ever() -> None:
    verdict = _judge(_recovery(turned_away=5))

    assert verdict.status == "failed"
    assert "5 of 6 at once were not" in verdict.actual


def test_breaker_closes_asks_for_no_more_at_once_than_a_bulkhead_lets_in() -> None:
    assert _judge(_recovery(turned_away=2), crowd=_crowd(4)).passed
    assert _judge(_recovery(turned_away=3), crowd=_crowd(4)).status == "failed"


@pytest.mark.parametrize(
    ("status", "fine"), [(503, True), (429, True), (200, True), (500, False), (502, False)]
)
def test_breaker_closes_looks_at_what_the_others_are_told_during_a_probe(status: int, *, fine: bool) -> None:
    assert _judge(_recovery(turned_away_with=status)).passed is fine


def test_breaker_closes_fails_a_slot_that_is_never_given_back() -> None:
    verdict = _judge(_recovery(), _half_open(served=0))

    assert verdict.status == "failed"
    assert "cached prompts" in verdict.expected


def test_breaker_closes_fails_a_service_without_a_breaker() -> None:
    verdict = _judge(_recovery(), _half_open(opened=False))

    assert verdict.status == "failed"
    assert "never opened" in verdict.actual


def _polled(named: str, *, rejected_for: float, late: bool = False, fails_after: float = 0.0) -> History:
    """Requests are turned away for so long, though the model is there again; then one reaches it.

    A `late` attempt is of a request that was let in before, and which `fails_after` so many seconds.
    """
    story = Story("half_open")
    fail(story)
    let_in = story.ask(labelled("failing", USUAL))
    reject(story, retry_after=named)
    begun = story.now
    if late:
        story.now += 0.1
        story.call(let_in, status=503)
    story.answer(let_in, 502, after=fails_after)
    while story.now - begun < rejected_for:
        story.reject(labelled("refused", USUAL), retry_after=named)
        story.now += 1
    request = story.ask(labelled("refused", USUAL))
    story.call(request, status=400)
    story.answer(request, 400)
    _recovered(story)
    return story.end()


@pytest.mark.parametrize(("named", "actual"), [("10", 10), ("9", 10), ("10", 5), ("60", 60), ("2", 3)])
def test_breaker_closes_passes_a_retry_after_that_fits(named: str, actual: float) -> None:
    assert _judge(_recovery(), _polled(named, rejected_for=actual)).passed


def test_breaker_closes_takes_an_attempt_of_a_request_that_was_let_in_before_for_no_probe() -> None:
    assert _judge(_recovery(), _polled("12", rejected_for=12, late=True)).passed


@pytest.mark.parametrize(("fails_after", "fine"), [(3.5, True), (0.5, False)])
def test_breaker_closes_lets_a_request_that_fails_late_begin_the_cool_down_anew(
    fails_after: float, *, fine: bool
) -> None:
    verdict = _judge(_recovery(), _polled("12", rejected_for=15.5, late=True, fails_after=fails_after))

    assert verdict.passed is fine


@pytest.mark.parametrize(("named", "actual"), [("1", 10), ("0", 5), ("60", 10), ("3600", 10)])
def test_breaker_closes_fails_a_retry_after_that_is_made_up(named: str, actual: float) -> None:
    verdict = _judge(_recovery(), _polled(named, rejected_for=actual))

    assert verdict.status == "failed"
    assert "Retry-After" in verdict.expected


@pytest.mark.parametrize(("rested", "fine"), [(1.2, False), (2.5, False), (3.0, True)])
def test_breaker_closes_fails_a_cool_down_that_is_over_at_once(rested: float, *, fine: bool) -> None:
    story = Story("breaker")
    fail(story)
    reject(story, retry_after="1")
    story.now += rested
    story.add(Phase(name="recovery"))
    _recovered(story)

    verdict = _judge(story.end())

    assert verdict.passed is fine
    assert fine or "for 3 s at least" in verdict.expected


def test_breaker_closes_is_not_told_of_the_cool_down_by_a_request_that_was_let_in_before() -> None:
    story = Story("breaker")
    fail(story)
    let_in = story.ask(labelled("failing", USUAL))
    reject(story)
    story.call(let_in)
    story.answer(let_in)
    story.now += 10
    story.add(Phase(name="recovery"))
    _recovered(story)

    assert _judge(story.end()).passed


def test_breaker_closes_is_not_judged_where_the_order_of_many_calls_is_not_known() -> None:
    """After a stall, the first probe's answer may go out before the calls that came with it are seen."""
    story = Story("breaker")
    fail(story)
    reject(story)
    story.now += 10
    story.add(Phase(name="recovery"))
    callers = [story.ask(labelled("caller", USUAL)) for _ in range(50)]
    story.call(callers[0], lasting=3.0)
    story.add(Stall(seconds=3.0))
    for caller in callers[1:]:
        story.call(caller)
    for caller in callers:
        story.answer(caller)
    _recovered(story)

    verdict = _judge(story.end())

    assert (verdict.status, verdict.blame) == ("not judged", "machine")


def test_breaker_closes_passes_few_probes_in_spite_of_a_stall() -> None:
    history = _recovery(probes=3)

    assert _judge(held_up(history, history.events[-1].t, 2.0)).passed


def _client_errors(
    *,
    opened_by: str = "",
    after_aborts: tuple[bool, bool] = (True, True),
    reached: bool = True,
    retry_after: str | None = "10",
) -> History:
    story = Story("callers")
    for status in CLIENT_ERRORS.values:
        for _ in range(5):
            request = story.ask(labelled("client-error", status))
            if reached:
                story.call(request, status=int(status))
            story.answer(request, 502)
        label = labelled("after client errors", status)
        story.reject(label) if status == opened_by else story.serve(label)
    for _ in range(8):
        request = story.ask("abort")
        story.call(request)
        story.fail(request, "aborted", after=0.1)
    for served in after_aborts:
        story.serve("after aborts") if served else story.reject("after aborts")
    for upstream in OTHERS_DOWN.values:
        story.serve(labelled("without", upstream))
        label = labelled("after", upstream)
        story.reject(label, retry_after=retry_after) if upstream == opened_by else story.serve(label)
    return story.end()


def _spared(callers: History, breaker: History | None = None) -> Verdict:
    return checks.client_errors_spare_breaker(callers, breaker or _recovery(), _half_open(opened=False))


def test_client_errors_spare_breaker_passes() -> None:
    assert _spared(_client_errors()).passed


@pytest.mark.parametrize("status", CLIENT_ERRORS.values)
def test_client_errors_spare_breaker_fails_where_one_kind_of_refusal_opens_it(status: str) -> None:
    verdict = _spared(_client_errors(opened_by=status))

    assert verdict.status == "failed"
    assert status in verdict.expected
    assert "not called" in verdict.actual


@pytest.mark.parametrize("after_aborts", [(False, False), (True, False)])
def test_client_errors_spare_breaker_fails_where_aborts_open_it(after_aborts: tuple[bool, bool]) -> None:
    verdict = _spared(_client_errors(after_aborts=after_aborts))

    assert verdict.status == "failed"
    assert "hung up" in verdict.expected


@pytest.mark.parametrize("upstream", OTHERS_DOWN.values)
def test_client_errors_spare_breaker_fails_where_another_upstream_opens_it(upstream: str) -> None:
    verdict = _spared(_client_errors(opened_by=upstream))

    assert verdict.status == "failed"
    assert upstream in verdict.expected


def test_client_errors_spare_breaker_takes_a_503_that_is_no_breakers_for_none() -> None:
    assert _spared(_client_errors(opened_by="qdrant", retry_after=None)).passed


def test_client_errors_spare_breaker_is_not_judged_where_none_reached_the_model() -> None:
    assert _spared(_client_errors(reached=False)).status == "not judged"


def test_client_errors_spare_breaker_is_not_judged_without_a_breaker() -> None:
    verdict = _spared(_client_errors(), _half_open(opened=False))

    assert (verdict.status, verdict.blame) == ("not judged", "submission")
