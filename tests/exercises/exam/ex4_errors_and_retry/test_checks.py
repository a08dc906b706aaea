from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import pytest

from chaos.history import Call, Fault, History, Ready, Stall
from exercises.exam.ex4_errors_and_retry import checks
from exercises.exam.ex4_errors_and_retry.axes import CLIENT_ERRORS, INCOMPLETE, MALFORMED
from exercises.exam.ex4_errors_and_retry.own_errors import ODD
from tests.exercises.exam.ex4_errors_and_retry.stories import (
    Service,
    comes_early,
    hang,
    honours,
    mlflow_down,
    passes_on,
    refusals,
    retries,
)
from tests.lab.story import held_up

# transient_recovers: a failure that passes


def test_transient_recovers_passes() -> None:
    assert checks.transient_recovers(retries(), refusals()).passed


@pytest.mark.parametrize("label", ["500 once", "502 twice", "503 twice", "reset once", "refused once"])
def test_transient_recovers_fails_one_failure_passed_on(label: str) -> None:
    verdict = checks.transient_recovers(retries(broken=label), refusals())

    assert verdict.status == "failed"
    assert label in verdict.expected
    assert "502" in verdict.actual
    assert "1 model call" in verdict.actual


def test_transient_recovers_passes_what_recovers_once_a_breaker_lets_it() -> None:
    assert checks.transient_recovers(retries(repeats=True), refusals()).passed


def test_transient_recovers_fails_a_canned_200() -> None:
    story = Service("retries")
    request = story.ask("500 once")
    story.call(request, status=500)
    story.answer(request, body={"response": "Sorry, try later."})

    assert checks.transient_recovers(story.end(), refusals()).status == "failed"


def test_transient_recovers_fails_who_gives_up_at_once_when_refused() -> None:
    story = Service("refusals")
    for _ in range(3):
        story.refuse("lasting refused", 503, after=0.02)

    verdict = checks.transient_recovers(retries(), story.end())

    assert verdict.status == "failed"
    assert "refused connection" in verdict.expected


def test_transient_recovers_passes_a_breaker_that_is_open_when_connections_are_refused() -> None:
    story = Service("refusals")
    for _ in range(3):
        story.refuse("lasting refused", 503, after=0.02, headers={"retry-after": "10"})

    assert checks.transient_recovers(retries(), story.end()).passed


# backs_off: how often and when


@pytest.mark.parametrize(
    "pauses",
    [
        ((0.8, 1.7, 3.6), (1.0, 1.9, 3.9)),
        ((0.3, 0.2, 3.1), (0.9, 1.8, 0.4), (0.1, 1.1, 1.9)),
        ((0.8, 1.7), (1.0, 1.9)),
    ],
)
def test_backs_off_passes(pauses: tuple[tuple[float, ...], ...]) -> None:
    assert checks.backs_off(retries(pauses=pauses), refusals(), hang()).passed


@pytest.mark.parametrize(
    ("pauses", "actual"),
    [
        ((0.8, 1.7, 3.6, 8.0), "more than 4 calls for one request"),
        ((0.0, 0.0, 0.0), "too short"),
        ((0.15, 0.3, 0.6), "too short"),
        ((0.5, 1.0, 2.0), "too short"),
        ((10.0, 20.0, 40.0), "pause 1 took 10.0 s"),
        ((1.0, 1.0, 1.0), "do not grow"),
        ((1.0, 2.0, 4.0), "no jitter"),
    ],
)
def test_backs_off_fails(pauses: tuple[float, ...], actual: str) -> None:
    verdict = checks.backs_off(retries(pauses=[pauses]), refusals(), hang())

    assert verdict.status == "failed"
    assert actual in verdict.actual
    assert any(isinstance(event, Call) for event in verdict.evidence)


def test_backs_off_fails_without_any_retry() -> None:
    story = Service("retries")
    story.fails("lasting 503", 502)

    verdict = checks.backs_off(story.end(), refusals(), hang())

    assert verdict.status == "failed"
    assert "no retry" in verdict.actual


def test_backs_off_fails_many_calls_for_a_malformed_answer() -> None:
    history = refusals(more=lambda story: story.fails("malformed: {}", 502, calls=5))

    assert checks.backs_off(retries(), history, hang()).status == "failed"


def test_transient_recovers_leaves_out_what_an_open_breaker_has_rejected_to_the_end() -> None:
    history = retries(rejected=["502 twice"], rejected_midway=["reset once"])

    assert checks.transient_recovers(history, refusals()).passed


def test_transient_recovers_fails_where_a_breaker_has_rejected_nearly_all() -> None:
    history = retries(rejected=["502 twice", "503 twice", "reset once"])

    assert checks.transient_recovers(history, refusals()).status == "failed"


def test_transient_recovers_fails_a_retry_after_that_no_breaker_has_named() -> None:
    history = retries(broken="reset once", broken_headers={"retry-after": "1"})

    assert checks.transient_recovers(history, refusals()).status == "failed"


# client_errors_are_final: what is nobody's to retry


def test_client_errors_are_final_passes_one_call_each() -> None:
    verdict = checks.client_errors_are_final(refusals())

    assert verdict.passed
    assert "10 refusals" in verdict.actual


@pytest.mark.parametrize("code", CLIENT_ERRORS.values)
def test_client_errors_are_final_fails_a_retry(code: str) -> None:
    verdict = checks.client_errors_are_final(refusals(calls={code: 4}))

    assert verdict.status == "failed"
    assert f"4 calls for a {code}" in verdict.actual


def test_client_errors_are_final_fails_a_retry_of_what_a_retry_met() -> None:
    verdict = checks.client_errors_are_final(refusals(calls={"400 after a 503": 3}))

    assert verdict.status == "failed"
    assert "3 calls for a 503 and then a 400" in verdict.actual


def test_client_errors_are_final_is_not_judged_where_none_reached_the_model() -> None:
    assert checks.client_errors_are_final(Service("refusals").end()).status == "not judged"


# failures_are_told_apart: a status for each


def test_failures_are_told_apart_passes() -> None:
    assert checks.failures_are_told_apart(refusals(), hang(), retries()).passed


def test_failures_are_told_apart_allows_400_for_a_404_and_5xx_passed_on() -> None:
    told = refusals(statuses={"model-404": 400, "model-401": 503, "model-403": 403, "refused": 502})

    assert checks.failures_are_told_apart(
        told, hang(), retries(statuses={"500": 500, "503": 503, "504": 504})
    ).passed


@pytest.mark.parametrize(
    "label",
    [
        *(f"model-{code}" for code in CLIENT_ERRORS.values),
        *MALFORMED.values,
        *INCOMPLETE.values,
        "refused",
        "wrong: no JSON",
        "wrong: unknown model",
        "wrong: an array",
    ],
)
def test_failures_are_told_apart_fails_a_generic_500(label: str) -> None:
    verdict = checks.failures_are_told_apart(refusals(statuses={label: 500}), hang(), retries())

    assert verdict.status == "failed"
    assert label.replace("model-", "the model's ") in verdict.expected
    assert "500" in verdict.actual


@pytest.mark.parametrize("label", [f"wrong: {name}" for name in ODD])
@pytest.mark.parametrize("status", [200, 404, 422, 502])
def test_failures_are_told_apart_leaves_odd_requests_to_the_service(label: str, status: int) -> None:
    assert checks.failures_are_told_apart(refusals(statuses={label: status}), hang(), retries()).passed


@pytest.mark.parametrize("label", INCOMPLETE.values)
def test_failures_are_told_apart_passes_an_answer_that_has_no_count(label: str) -> None:
    assert checks.failures_are_told_apart(refusals(statuses={label: 200}), hang(), retries()).passed


@pytest.mark.parametrize("label", ["content null", "choices []"])
def test_failures_are_told_apart_fails_an_answer_that_is_none(label: str) -> None:
    assert (
        checks.failures_are_told_apart(refusals(statuses={label: 200}), hang(), retries()).status == "failed"
    )


@pytest.mark.parametrize(("kind", "status"), [("503", 500), ("502", 504), ("reset", 500), ("504", 500)])
def test_failures_are_told_apart_fails_other_statuses(kind: str, status: int) -> None:
    verdict = checks.failures_are_told_apart(refusals(), hang(), retries(statuses={kind: status}))

    assert verdict.status == "failed"


@pytest.mark.parametrize("status", [500, 502, 503])
def test_failures_are_told_apart_fails_a_hanging_model_that_is_no_504(status: int) -> None:
    assert checks.failures_are_told_apart(refusals(), hang(status), retries()).status == "failed"


def test_failures_are_told_apart_passes_over_what_a_breaker_rejected_and_was_asked_again() -> None:
    def rejected_first(story: Service, name: str) -> None:
        story.refuse(f"rate limit: {name}", 503, headers={"retry-after": "10"})
        passes_on(story, name, retry_after="120")

    history = refusals(limits={"two minutes": rejected_first})

    assert checks.failures_are_told_apart(history, hang(), retries()).passed


def test_failures_are_told_apart_without_those_that_an_open_breaker_has_rejected_to_the_end() -> None:
    history = refusals(more=lambda story: _turn_away(story, "malformed: []", "rate limit: two minutes"))

    assert checks.failures_are_told_apart(history, hang(), retries()).passed
    assert checks.retry_after_is_honoured(history).passed


def test_failures_are_told_apart_fails_where_a_breaker_has_rejected_nearly_all() -> None:
    labels = [f"model-{code}" for code in CLIENT_ERRORS.values]
    labels += [f"malformed: {name}" for name in MALFORMED.values]
    labels += [f"incomplete: {name}" for name in INCOMPLETE.values]
    history = refusals(more=lambda story: _turn_away(story, *labels))

    assert checks.failures_are_told_apart(history, hang(), retries()).status == "failed"


def _turn_away(story: Service, *labels: str) -> None:
    for label in labels:
        story.refuse(label, 503, headers={"retry-after": "60"})


# errors_have_context: what an error body holds


def _context(history: History, run: tuple[History, ...] = ()) -> Any:
    return checks.errors_have_context(history, hang(), retries(), mlflow_down(), (history, *run))


def test_errors_have_context_fails_a_breaker_that_rejects_in_plain_text() -> None:
    story = Service("refusals")
    story.refuse("lasting refused", 503)
    story.refuse("after lasting refused", 503, body="circuit open", headers={"retry-after": "10"})

    assert "after lasting refused" in _context(story.end()).actual


def _one(body: Any, **options: Any) -> History:
    story = Service("refusals")
    story.refuse("wrong: no prompt", 422, body=body, **options)
    return story.end()


def test_errors_have_context_passes() -> None:
    assert _context(refusals()).passed


@pytest.mark.parametrize(
    "shape",
    [
        lambda body: {"detail": body},
        lambda body: {"type": "about:blank", "title": "Bad", "status": 422, "detail": "no", **body},
        lambda body: {"error": {"type": "invalid_request_error", **body}},
        lambda body: {
            "error": {"type": "server_error", "message": body["message"], "code": None},
            "incident_id": body["incident_id"],
            "timestamp": body["timestamp"],
        },
    ],
)
def test_errors_have_context_passes_other_places(shape: Callable[[dict[str, Any]], Any]) -> None:
    body = next(Service.bodies)
    story = Service("refusals")
    story.log(f"ERROR incident_id={body['incident_id']} the model failed")
    story.refuse("model-400", 400, body=shape(body), logged=False)

    assert _context(story.end()).passed


@pytest.mark.parametrize(
    "timestamp",
    [
        "2026-11-21T10:00:01Z",
        "2026-11-21 10:00:01.123456789",
        "2026-11-21t10:00:01z",
        "2026-11-21T18:00:01,250+08:00",
        "2026-11-21 11:00:00",
        "2026-11-21 10:00:00 UTC",
        "Sat, 21 Nov 2026 10:00:00 GMT",
        1795255200,
        1795255200.5,
        1795255200123,
        "1795255200",
    ],
)
def test_errors_have_context_reads_usual_timestamps(timestamp: Any) -> None:
    assert _context(_one({**next(Service.bodies), "timestamp": timestamp})).passed


@pytest.mark.parametrize(
    ("timestamp", "actual"),
    [
        ("now", "unreadable"),
        ("10:00:01", "unreadable"),
        (True, "unreadable"),
        (12345.6, "unreadable"),
        ("2026-11-21T09:58:00Z", "not of then"),
        ("2026-11-21 10:07:00", "not of then"),
        (1795250000, "not of then"),
    ],
)
def test_errors_have_context_fails_other_timestamps(timestamp: Any, actual: str) -> None:
    verdict = _context(_one({**next(Service.bodies), "timestamp": timestamp}))

    assert verdict.status == "failed"
    assert actual in verdict.actual


@pytest.mark.parametrize(
    ("timestamps", "passes"),
    [
        (("2026-11-21T10:00:00+00:00", "2026-11-21T10:00:20+00:00"), True),
        (("2026-11-21T05:43:00", "2026-11-21T05:43:20"), True),
        (("2026-11-21T05:43:00Z", "2026-11-21T10:43:20"), True),
        ((1795255200, 1795255219.5), True),
        (("2026-11-21T10:00:00+00:00", "2026-11-21T10:00:00+00:00"), False),
        (("2026-11-21T05:43:00", "2026-11-21T05:43:00"), False),
        (("2026-11-21T10:00:00+00:00", "2026-11-21T10:01:30+00:00"), False),
    ],
)
def test_timestamps_without_a_date_go_on_as_time_does(timestamps: Sequence[Any], *, passes: bool) -> None:
    story = Service("refusals")
    for number, timestamp in enumerate(timestamps):
        story.now = 20.0 * number
        request = story.ask("wrong: no JSON")
        story.log(f'{{"incident_id": "incident-of-{number}"}}')
        body = {"error": "e", "message": "m", "incident_id": f"incident-of-{number}", "timestamp": timestamp}
        story.answer(request, 400, body=body)

    assert _context(story.end()).passed is passes


@pytest.mark.parametrize("field", ["error", "message", "incident_id", "timestamp"])
def test_errors_have_context_fails_a_missing_field(field: str) -> None:
    body = {name: value for name, value in next(Service.bodies).items() if name != field}

    verdict = _context(_one(body))

    assert verdict.status == "failed"
    assert f"no '{field}'" in verdict.actual
    assert "wrong: no prompt" in verdict.actual


def test_errors_have_context_fails_an_incident_of_another_instance() -> None:
    body = next(Service.bodies)

    verdict = _context(_one(body), (_one(body),))

    assert verdict.status == "failed"
    assert "given twice" in verdict.actual


@pytest.mark.parametrize(
    "line",
    [
        "",
        '{"event": "failed", "incident_id": "xincident-77"}',
        '{"event": "failed", "request_id": "incident-77a"}',
    ],
)
def test_errors_have_context_fails_an_incident_that_is_not_logged(line: str) -> None:
    story = Service("refusals")
    story.log(line)
    story.refuse("model-400", 400, body={**next(Service.bodies), "incident_id": "incident-77"}, logged=False)

    verdict = _context(story.end())

    assert verdict.status == "failed"
    assert "in no log record" in verdict.actual


def test_errors_have_context_does_not_take_a_number_in_a_record_for_an_incident() -> None:
    story = Service("refusals")
    story.log('{"event": "request", "status": 400, "took": 7}')
    story.refuse("model-400", 400, body={**next(Service.bodies), "incident_id": 7}, logged=False)

    assert _context(story.end()).status == "failed"


@pytest.mark.parametrize("body", ["Internal Server Error", '{"detail": "boom"}', "[1]", ""])
def test_errors_have_context_fails_other_bodies(body: str) -> None:
    assert _context(_one(body)).status == "failed"


@pytest.mark.parametrize("status", [411, 413])
def test_errors_have_context_leaves_a_body_that_the_server_refuses_its_form(status: int) -> None:
    history = refusals(
        more=lambda story: story.give(story.ask("wrong: over 1 MB"), status, body="Content Too Large")
    )

    assert _context(history).passed


# mlflow_down_costs_nothing: as fast, and the trace is kept


def _costs(history: History) -> Any:
    return checks.mlflow_down_costs_nothing(history, mlflow_down(), mlflow_down())


def test_mlflow_down_costs_nothing_looks_at_all_instances() -> None:
    verdict = checks.mlflow_down_costs_nothing(mlflow_down(), mlflow_down(), mlflow_down(lost=1))

    assert verdict.status == "failed"


@pytest.mark.parametrize("place", ["file", "mlflow"])
def test_mlflow_down_costs_nothing_passes(place: str) -> None:
    assert _costs(mlflow_down(place=place, extra=1.5)).passed


def test_mlflow_down_costs_nothing_fails_a_slow_answer() -> None:
    verdict = _costs(mlflow_down(extra=5))

    assert verdict.status == "failed"
    assert "at most 2 s later" in verdict.expected


def test_mlflow_down_costs_nothing_fails_an_error() -> None:
    assert _costs(mlflow_down(status=500)).status == "failed"


def test_mlflow_down_costs_nothing_fails_one_lost_trace() -> None:
    verdict = _costs(mlflow_down(lost=1))

    assert verdict.status == "failed"
    assert "trace" in verdict.expected
    assert "1 of 8" in verdict.actual


def test_mlflow_down_costs_nothing_fails_a_file_that_happens_to_hold_the_prompts() -> None:
    verdict = _costs(mlflow_down(holds=("prompt", "model")))

    assert verdict.status == "failed"
    assert "without answer and tokens" in verdict.actual


def test_mlflow_down_costs_nothing_says_where_mlflow_is_never_called() -> None:
    verdict = _costs(mlflow_down(lost=8, called=False))

    assert verdict.status == "failed"
    assert "never called" in verdict.actual


def test_mlflow_down_costs_nothing_blames_the_machine_for_its_own_stall() -> None:
    def stall(story: Service) -> None:
        story.now += 3
        story.add(Stall(seconds=3))

    verdict = _costs(mlflow_down(more=stall))

    assert (verdict.status, verdict.blame) == ("not judged", "machine")


@pytest.mark.parametrize(("extra", "status"), [(1.0, "passed"), (4.0, "not judged"), (6.0, "failed")])
def test_a_stall_makes_the_measure_uncertain_that_mlflow_down_is_held_to(extra: float, status: str) -> None:
    history = mlflow_down(extra=extra)
    [baseline] = history.exchanges("baseline")
    assert baseline.end
    slow = baseline.end.model_copy(update={"elapsed": 3.0, "t": baseline.end.t + 3.0})
    stretched = History(slow if event is baseline.end else event for event in history.events)

    assert _costs(held_up(stretched, baseline.request.t + 3.0, 3.0)).status == status


# retry_after_is_honoured: the model's word


def test_retry_after_is_honoured_passes() -> None:
    assert checks.retry_after_is_honoured(refusals()).passed


@pytest.mark.parametrize(
    ("name", "limited"),
    [
        ("seconds", passes_on),
        ("seconds", partial(passes_on, retry_after="2")),
        ("seconds", partial(passes_on, retry_after="Sat, 21 Nov 2026 10:00:04 GMT")),
        ("two minutes", partial(passes_on, retry_after="119", after=1.0)),
        ("a date", partial(passes_on, retry_after="")),
        ("no Retry-After", partial(passes_on, retry_after="")),
        ("no Retry-After", comes_early),
        ("a date", comes_early),
        ("503 with seconds", partial(passes_on, status=503)),
    ],
)
def test_retry_after_is_honoured_passes_what_is_fair(
    name: str, limited: Callable[[Service, str], None]
) -> None:
    assert checks.retry_after_is_honoured(refusals(limits={name: limited})).passed


@pytest.mark.parametrize(
    ("name", "limited", "actual"),
    [
        ("seconds", comes_early, "called again after 1.0 s"),
        ("seconds twice", partial(comes_early, waits=(3.1, 1.0)), "called again after 1.0 s"),
        ("seconds", partial(passes_on, retry_after=""), "without Retry-After"),
        ("seconds", partial(passes_on, retry_after="60"), "with Retry-After: 60"),
        ("two minutes", partial(passes_on, retry_after="5"), "with Retry-After: 5"),
        (
            "two minutes",
            partial(passes_on, retry_after="120", after=7.0),
            "the 429 was passed on only 7.0 s after",
        ),
        ("two minutes", partial(passes_on, status=504), "504"),
        ("a date", partial(passes_on, status=500), "500"),
        ("no number", partial(passes_on, status=500), "500"),
        ("no Retry-After", partial(passes_on, status=502), "502"),
        ("503 with seconds", partial(passes_on, status=500), "500"),
    ],
)
def test_retry_after_is_honoured_fails(
    name: str, limited: Callable[[Service, str], None], actual: str
) -> None:
    verdict = checks.retry_after_is_honoured(refusals(limits={name: limited}))

    assert verdict.status == "failed"
    assert actual in verdict.actual


# errors_hide_internals: what is not for a caller's eyes


def _internals(history: History, run: tuple[History, ...] = ()) -> Any:
    return checks.errors_hide_internals(history, hang(), retries(), mlflow_down(), (history, *run))


def test_errors_hide_internals_passes() -> None:
    assert _internals(refusals()).passed


@pytest.mark.parametrize(
    "leak",
    [
        'Traceback (most recent call last): File "/x/y.py", line 3',
        "error in /usr/lib/python3/site-packages/openai/_base_client.py",
        "cannot connect to 127.0.0.1:4000",
        "cannot connect to 172.18.0.3:6333",
        "cannot connect to http://localhost:4000/v1/chat/completions",
        "openai.InternalServerError: gateway-7.internal:4000",
        "gateway-7.internal did not answer",
        "see /app/src/api/main",
        "HTTPConnectionPool(host='litellm', port=4000): Max retries exceeded with url: /v1/chat/completions",
        "[Errno 111] Connect call failed ('127.0.0.1', 41233)",
    ],
)
@pytest.mark.parametrize("where", ["body", "header"])
def test_errors_hide_internals_fails(leak: str, where: str) -> None:
    headers = {"x-upstream-error": leak} if where == "header" else {}
    body = {"detail": leak} if where == "body" else None

    verdict = _internals(_one(body, headers=headers))

    assert verdict.status == "failed"
    assert f"the {where}" in verdict.actual
    assert "wrong: no prompt" in verdict.actual


@pytest.mark.parametrize(
    ("fault", "upstream"), [("blackhole", "litellm"), ("outage", "litellm"), ("blackhole", "qdrant")]
)
def test_errors_hide_internals_reads_the_errors_of_a_model_that_other_exercises_could_not_reach(
    fault: Any, upstream: str
) -> None:
    story = Service("elsewhere")
    story.add(Fault(name=fault, upstream=upstream, on=True))
    story.refuse("unreachable", 504, body={"detail": "no connection to http://10.1.2.3:4000"})

    verdict = _internals(refusals(), (story.end(),))

    assert verdict.passed is ((fault, upstream) != ("blackhole", "litellm"))


def test_errors_hide_internals_allows_paths_and_addresses_of_the_api() -> None:
    body = {
        **next(Service.bodies),
        "path": "/llm/generate",
        "instance": "http://127.0.0.1:8000/llm/generate",
        "docs": "/docs",
        "message": "Not/or 5.5 s.",
    }

    assert _internals(_one(body)).status == "passed"


@pytest.mark.parametrize("told", ["http://127.0.0.1:8000/problems/no-prompt", "127.0.0.1:8000"])
def test_errors_hide_internals_allows_the_address_that_callers_ask_at(told: str) -> None:
    assert _internals(_told_at("127.0.0.1:8000", told)).passed


@pytest.mark.parametrize("told", ["http://127.0.0.1:80001/v1", "http://127.0.0.1:4000/problems/no-prompt"])
def test_errors_hide_internals_finds_addresses_like_that_of_the_api(told: str) -> None:
    assert _internals(_told_at("127.0.0.1:8000", told)).status == "failed"


def _told_at(address: str, told: str) -> History:
    """Return a history in which the service at an address tells another one in an error."""
    story = Service("refusals")
    story.add(Ready(address=address))
    story.refuse("wrong: no prompt", 422, body={**next(Service.bodies), "type": told})
    return story.end()


# What the lab's own stalls stretch


def test_backs_off_is_not_judged_where_a_stall_may_have_made_pauses_grow() -> None:
    history = retries(pauses=((1.0, 1.1, 1.4), (0.9, 1.05, 1.35)))
    for exchange in history.exchanges():
        calls = history.calls(key=exchange.request.key)
        if exchange.request.label.startswith("lasting"):
            history = held_up(history, calls[-1].call.t - 0.2, 0.5)

    verdict = checks.backs_off(history, refusals(), hang())

    assert (verdict.status, verdict.blame) == ("not judged", "machine")


def test_backs_off_passes_what_a_stall_cannot_have_made() -> None:
    assert checks.backs_off(held_up(retries(), 4.0, 0.5), refusals(), hang()).passed


def test_backs_off_fails_what_a_stall_cannot_excuse() -> None:
    history = retries(pauses=((0.0, 0.0, 0.0),))

    assert checks.backs_off(held_up(history, 0.2, 0.3), refusals(), hang()).status == "failed"


def test_retry_after_is_not_judged_where_a_stall_may_have_made_the_pause() -> None:
    history = refusals(limits={"seconds": honours})
    [limited] = history.exchanges("rate limit: seconds")
    assert limited.end

    verdict = checks.retry_after_is_honoured(held_up(history, limited.end.t, 2.0))

    assert (verdict.status, verdict.blame) == ("not judged", "machine")
    assert checks.retry_after_is_honoured(held_up(history, limited.end.t, 0.3)).passed
