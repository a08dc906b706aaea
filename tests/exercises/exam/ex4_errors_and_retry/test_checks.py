import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from chaos.history import Call, Fault, History, Stall, Trace
from chaos.keys import expected_answer
from exercises.exam.ex4_errors_and_retry import checks
from tests.lab.story import Story, held_up

Body = Callable[[str], Any]


def context() -> Iterator[dict[str, str]]:
    """Yield error bodies as the exam wants them."""
    for number in itertools.count(1):
        yield {
            "error": "upstream_error",
            "message": "The model failed.",
            "incident_id": f"incident-{number:04}",
            "timestamp": "2026-11-21T10:00:00+00:00",
        }


class Service(Story):
    """A story in which error answers have their context and its incident is logged."""

    bodies = context()

    def refuse(
        self,
        label: str,
        status: int,
        *,
        calls: int = 1,
        upstream: int = 500,
        body: Any = None,
        **options: Any,
    ) -> None:
        """Record a request that ends in an error after a number of calls."""
        request = self.ask(label)
        for _ in range(calls):
            self.call(request, status=upstream)
        body = next(self.bodies) if body is None else body
        if isinstance(body, dict) and "incident_id" in body:
            self.log(f'{{"event": "failed", "incident_id": "{body["incident_id"]}"}}')
        self.answer(request, status, body=body, **options)


# transient_recovers: a failure that passes


def _transient(
    *, labels: tuple[str, ...] = ("reset-once", "500-once", "503-twice"), broken: str = ""
) -> History:
    story = Service("transient")
    for label in labels:
        if label == broken:
            story.refuse(label, 502)
            continue
        request = story.ask(label)
        story.call(request, status=503)
        story.now += 1
        if label == "503-twice":
            story.call(request, status=503)
            story.now += 2
        story.call(request)
        story.answer(request)
    return story.end()


def test_transient_recovers_passes() -> None:
    assert checks.transient_recovers(_transient()).passed


@pytest.mark.parametrize("label", ["reset-once", "500-once", "503-twice"])
def test_transient_recovers_fails_one_failure_passed_on(label: str) -> None:
    verdict = checks.transient_recovers(_transient(broken=label))

    assert verdict.status == "failed"
    assert label in verdict.expected
    assert "502" in verdict.actual


def test_transient_recovers_fails_a_canned_200() -> None:
    story = Service("transient")
    for label in ("reset-once", "500-once", "503-twice"):
        request = story.ask(label)
        story.call(request, status=503)
        story.answer(request, body={"response": "Sorry, try later."})

    assert checks.transient_recovers(story.end()).status == "failed"


def _backoff(name: str, pauses: tuple[float, ...] = (1.0, 2.0, 4.0), *, status: int = 502) -> History:
    story = Service(name)
    for label in ("three-failures", "lasting-failure"):
        request = story.ask(label)
        story.call(request, status=503)
        for pause in pauses:
            story.now += pause
            story.call(request, status=503)
        if label == "three-failures" and len(pauses) == 3:
            story.answer(request)
        else:
            body = next(Service.bodies)
            story.log(body["incident_id"])
            story.answer(request, status, body=body)
    return story.end()


def _backs_off(pauses: tuple[float, ...]) -> Any:
    return checks.backs_off(
        _backoff("backoff_500", pauses), _backoff("backoff_503", pauses), _transient(labels=("503-twice",))
    )


@pytest.mark.parametrize("pauses", [(1.0, 2.0, 4.0), (0.6, 1.7, 2.2), (1.0, 2.0), (1.0,)])
def test_backs_off_passes(pauses: tuple[float, ...]) -> None:
    assert _backs_off(pauses).passed


@pytest.mark.parametrize(
    ("pauses", "actual"),
    [
        ((1.0, 2.0, 4.0, 8.0), "5 calls for one request"),
        ((0.0, 0.0, 0.0), "no backoff"),
        ((10.0, 20.0), "pause 1 took 10.0 s"),
    ],
)
def test_backs_off_fails(pauses: tuple[float, ...], actual: str) -> None:
    verdict = _backs_off(pauses)

    assert verdict.status == "failed"
    assert actual in verdict.actual
    assert any(isinstance(event, Call) for event in verdict.evidence)


def test_backs_off_fails_without_any_retry() -> None:
    verdict = checks.backs_off(
        _backoff("backoff_500", ()), _backoff("backoff_503", ()), _transient(broken="503-twice")
    )

    assert verdict.status == "failed"
    assert "no retry" in verdict.actual


# refusals: what is nobody's to retry


def _refusals(
    *,
    calls: dict[int, int] | None = None,
    statuses: dict[str, int] | None = None,
    body: Any = None,
    limited: Callable[[Service], None] | None = None,
) -> History:
    story = Service("refusals")
    for status in (400, 401, 403, 404, 422):
        answered = (statuses or {}).get(f"model-{status}", status)
        story.refuse(
            f"model-{status}", answered, calls=(calls or {}).get(status, 1), upstream=status, body=body
        )
    for label in ("malformed-json", "empty-object", "wrong-content-type"):
        story.refuse(label, (statuses or {}).get(label, 502), upstream=200)
    (limited or _waits)(story)
    passed_on = (statuses or {}).get("long-rate-limit", 429)
    story.refuse("long-rate-limit", passed_on, upstream=429, headers={"retry-after": "120"})
    story.refuse("refused", (statuses or {}).get("refused", 503), calls=0)
    return story.end()


def _waits(story: Service) -> None:
    request = story.ask("rate-limit")
    story.call(request, status=429)
    story.now += 3.1
    story.call(request)
    story.answer(request)


def _retries_early(story: Service) -> None:
    request = story.ask("rate-limit")
    story.call(request, status=429)
    story.now += 1.0
    story.call(request)
    story.answer(request)


def _passes_on(story: Service) -> None:
    story.refuse("rate-limit", 429, upstream=429, headers={"retry-after": "3"})


def _passes_on_bare(story: Service) -> None:
    story.refuse("rate-limit", 429, upstream=429)


def test_client_errors_are_final_passes_one_call_each() -> None:
    verdict = checks.client_errors_are_final(_refusals())

    assert verdict.passed
    assert "5 refusals" in verdict.actual


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
def test_client_errors_are_final_fails_a_retry(status: int) -> None:
    verdict = checks.client_errors_are_final(_refusals(calls={status: 4}))

    assert verdict.status == "failed"
    assert f"4 calls for a {status}" in verdict.actual


def test_client_errors_are_final_is_not_judged_where_none_reached_the_model() -> None:
    history = _refusals(calls=dict.fromkeys((400, 401, 403, 404, 422), 0))

    assert checks.client_errors_are_final(history).status == "not judged"


# failures_are_told_apart: a status for each


def _hang(status: int = 504) -> History:
    story = Service("hang")
    story.refuse("hanging", status, after=20)
    return story.end()


def _told_apart(
    statuses: dict[str, int] | None = None, *, hang: int = 504, failing: int = 502, erring: int = 502
) -> Any:
    return checks.failures_are_told_apart(
        _refusals(statuses=statuses),
        _hang(hang),
        _backoff("backoff_500", status=erring),
        _backoff("backoff_503", status=failing),
    )


def test_failures_are_told_apart_passes() -> None:
    assert _told_apart().passed


def test_failures_are_told_apart_allows_400_for_a_404_and_5xx_passed_on() -> None:
    assert _told_apart({"model-404": 400, "refused": 502}, failing=503, erring=500).passed


@pytest.mark.parametrize(
    "label",
    [
        "model-400",
        "model-404",
        "long-rate-limit",
        "malformed-json",
        "empty-object",
        "wrong-content-type",
        "refused",
    ],
)
def test_failures_are_told_apart_fails_a_generic_500(label: str) -> None:
    verdict = _told_apart({label: 500})

    assert verdict.status == "failed"
    assert label in verdict.expected


@pytest.mark.parametrize(
    ("hang", "failing", "erring"), [(500, 502, 502), (502, 502, 502), (504, 500, 502), (504, 502, 504)]
)
def test_failures_are_told_apart_fails_other_statuses(hang: int, failing: int, erring: int) -> None:
    assert _told_apart(hang=hang, failing=failing, erring=erring).status == "failed"


# errors_have_context: what an error body holds


def _context(body: Any = None) -> Any:
    return checks.errors_have_context(
        _refusals(body=body), _hang(), _backoff("backoff_500"), _backoff("backoff_503")
    )


def test_errors_have_context_passes() -> None:
    assert _context().passed


def test_errors_have_context_passes_a_body_nested_under_detail() -> None:
    story = Service("refusals")
    body = next(Service.bodies)
    story.log(body["incident_id"])
    story.refuse("model-400", 400, body={"detail": body})

    assert checks.errors_have_context(story.end(), _hang(), _backoff("a"), _backoff("b")).passed


@pytest.mark.parametrize("field", ["error", "message", "incident_id", "timestamp"])
def test_errors_have_context_fails_a_missing_field(field: str) -> None:
    body = {name: value for name, value in next(Service.bodies).items() if name != field}

    verdict = _context(body)

    assert verdict.status == "failed"
    assert f"no '{field}'" in verdict.actual


def test_errors_have_context_fails_a_repeated_incident() -> None:
    verdict = _context(next(Service.bodies))

    assert verdict.status == "failed"
    assert "given twice" in verdict.actual


def test_errors_have_context_fails_an_incident_that_is_not_logged() -> None:
    story = Story("refusals")
    request = story.ask("model-400")
    story.answer(request, 400, body=next(Service.bodies))

    verdict = checks.errors_have_context(story.end(), _hang(), _backoff("a"), _backoff("b"))

    assert verdict.status == "failed"
    assert "in no log line" in verdict.actual


@pytest.mark.parametrize("body", ["Internal Server Error", '{"detail": "boom"}', "[1]"])
def test_errors_have_context_fails_other_bodies(body: str) -> None:
    assert _context(body).status == "failed"


# mlflow_down_costs_nothing: as fast, and the trace is kept


def _mlflow_down(
    *, extra: float = 0.0, status: int = 200, place: Any = "file", called: bool = True, stall: bool = False
) -> History:
    story = Service("mlflow_down")
    if called:
        story.add(
            Call(call=900, upstream="mlflow", method="POST", path="/api/3.0/mlflow/traces", connection=1)
        )
    story.serve("baseline")
    story.add(Fault(name="outage", upstream="mlflow", on=True))
    keys = []
    for label in ("mlflow-refused", "mlflow-hanging"):
        request = story.ask(label)
        keys.append(request.key or "")
        story.call(request)
        begun = story.now
        if stall:
            story.now += extra
            story.add(Stall(seconds=extra))
        body = {"response": expected_answer(request.key or "")} if status == 200 else next(Service.bodies)
        story.answer(request, status, after=0.01 if stall else 0.01 + extra, body=body, started=begun)
    for key in keys:
        if place:
            story.add(Trace(key=key, place=place, detail="repo/data/traces.jsonl"))
    return story.end()


@pytest.mark.parametrize("place", ["file", "mlflow"])
def test_mlflow_down_costs_nothing_passes(place: str) -> None:
    assert checks.mlflow_down_costs_nothing(_mlflow_down(place=place, extra=1.5)).passed


def test_mlflow_down_costs_nothing_fails_a_slow_answer() -> None:
    verdict = checks.mlflow_down_costs_nothing(_mlflow_down(extra=5))

    assert verdict.status == "failed"
    assert "at most 2 s later" in verdict.expected


def test_mlflow_down_costs_nothing_fails_an_error() -> None:
    assert checks.mlflow_down_costs_nothing(_mlflow_down(status=500)).status == "failed"


def test_mlflow_down_costs_nothing_fails_a_lost_trace() -> None:
    verdict = checks.mlflow_down_costs_nothing(_mlflow_down(place=None))

    assert verdict.status == "failed"
    assert "trace" in verdict.expected


def test_mlflow_down_costs_nothing_says_where_mlflow_is_never_called() -> None:
    verdict = checks.mlflow_down_costs_nothing(_mlflow_down(place=None, called=False))

    assert verdict.status == "failed"
    assert "never called" in verdict.actual


def test_mlflow_down_costs_nothing_blames_the_machine_for_its_own_stall() -> None:
    verdict = checks.mlflow_down_costs_nothing(_mlflow_down(extra=3, stall=True))

    assert (verdict.status, verdict.blame) == ("not judged", "machine")


# retry_after_is_honoured: the model's word


@pytest.mark.parametrize("limited", [_waits, _passes_on])
def test_retry_after_is_honoured_passes(limited: Callable[[Service], None]) -> None:
    assert checks.retry_after_is_honoured(_refusals(limited=limited)).passed


@pytest.mark.parametrize(
    ("limited", "actual"),
    [(_retries_early, "called again after 1.0 s"), (_passes_on_bare, "429 after 0.01 s without Retry-After")],
)
def test_retry_after_is_honoured_fails(limited: Callable[[Service], None], actual: str) -> None:
    verdict = checks.retry_after_is_honoured(_refusals(limited=limited))

    assert verdict.status == "failed"
    assert actual in verdict.actual


def test_retry_after_is_honoured_fails_where_the_long_wait_ends_in_another_error() -> None:
    assert checks.retry_after_is_honoured(_refusals(statuses={"long-rate-limit": 504})).status == "failed"


# errors_hide_internals: what is not for a caller's eyes


def _internals(body: Any) -> Any:
    return checks.errors_hide_internals(
        _refusals(body=body), _transient(), _hang(), _backoff("a"), _backoff("b")
    )


def test_errors_hide_internals_passes() -> None:
    assert _internals(None).passed


@pytest.mark.parametrize(
    "leak",
    [
        'Traceback (most recent call last): File "/x/y.py", line 3',
        "error in /usr/lib/python3/site-packages/openai/_base_client.py",
        "cannot connect to 127.0.0.1:4000",
        "openai.InternalServerError: gateway-7.internal:4000",
        "see /app/src/api/main",
    ],
)
def test_errors_hide_internals_fails(leak: str) -> None:
    verdict = _internals({"detail": leak})

    assert verdict.status == "failed"
    assert verdict.evidence


def test_errors_hide_internals_allows_paths_of_the_api() -> None:
    body = {**next(Service.bodies), "path": "/llm/generate", "docs": "/docs", "message": "Not/or 5.5 s."}

    assert _internals(body).status == "passed"


# What the lab's own stalls stretch


@pytest.mark.parametrize("pauses", [(1.0, 2.0, 1.0), (0.4, 1.0, 1.0)])
def test_backs_off_is_not_judged_where_a_stall_may_have_made_pauses_grow(pauses: tuple[float, ...]) -> None:
    constant, grown = _backoff("backoff_503", (1.0, 1.0, 1.0)), _backoff("backoff_500", pauses)
    for exchange in grown.exchanges():
        begun = grown.calls(key=exchange.request.key)[0].call.t
        grown = held_up(grown, begun + sum(pauses[:2]), 1.0)

    verdict = checks.backs_off(grown, constant, _transient(labels=()))

    assert (verdict.status, verdict.blame) == ("not judged", "machine")


def test_backs_off_passes_what_a_stall_cannot_have_made() -> None:
    histories = [_backoff(name) for name in ("backoff_500", "backoff_503")]

    assert checks.backs_off(held_up(histories[0], 4.0, 0.5), histories[1], _transient()).passed


def test_backs_off_fails_what_a_stall_cannot_excuse() -> None:
    histories = [_backoff(name, (0.0, 0.0, 0.0)) for name in ("backoff_500", "backoff_503")]

    verdict = checks.backs_off(held_up(histories[0], 0.2, 0.3), histories[1], _transient(labels=()))

    assert verdict.status == "failed"


def test_retry_after_is_not_judged_where_a_stall_may_have_made_the_pause() -> None:
    history = _refusals(limited=_waits)
    [limited] = history.exchanges("rate-limit")
    assert limited.end

    verdict = checks.retry_after_is_honoured(held_up(history, limited.end.t, 2.0))

    assert (verdict.status, verdict.blame) == ("not judged", "machine")
    assert checks.retry_after_is_honoured(held_up(history, limited.end.t, 0.3)).passed


def test_mlflow_down_is_not_measured_against_a_request_that_stood_still() -> None:
    history = _mlflow_down(extra=4.0)
    [baseline] = history.exchanges("baseline")
    assert baseline.end
    slow = baseline.end.model_copy(update={"elapsed": 3.0, "t": baseline.end.t + 3.0})
    stretched = History(slow if event is baseline.end else event for event in history.events)

    assert (
        checks.mlflow_down_costs_nothing(held_up(stretched, baseline.request.t + 3.0, 3.0)).status == "failed"
    )
