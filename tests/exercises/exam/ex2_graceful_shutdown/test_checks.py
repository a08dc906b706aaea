from collections.abc import Callable, Sequence
from typing import Any

import pytest

from chaos.history import (
    Call,
    Connection,
    Exited,
    Fault,
    History,
    Log,
    Reply,
    Request,
    Signalled,
    Socket,
    Stall,
    Trace,
)
from exercises.exam.ex2_graceful_shutdown import checks
from lab.verdict import Verdict
from tests.lab.story import Story

SHUTTING_DOWN = "INFO:     Shutting down"


class Stop(Story):
    """A service that is told to stop; times after `terminate` are told in seconds since then."""

    told = 0.0

    def terminate(self) -> None:
        self.told = self.now
        self.add(Signalled(signal="SIGTERM"))

    def at(self, seconds: float) -> None:
        self.now = self.told + seconds

    def exit(self, code: int = -15, *, at: float | None = None) -> None:
        if at is not None:
            self.at(at)
        self.add(Exited(code=code))

    def killed(self, *, at: float) -> None:
        """The lab ends its experiment with the service still running."""
        self.at(at)
        self.add(Signalled(signal="SIGKILL"))
        self.add(Exited(code=-9, cause="killed by the lab"))

    def trace(self, request: Request, place: Any = "mlflow") -> None:
        self.add(Trace(key=request.key or "", place=place))

    def trace_control(self) -> None:
        [control] = self._recorder.history().exchanges("control")
        self.trace(control.request)

    def connection(self, number: int, *states: Any, upstream: Any = "litellm") -> None:
        for state in states:
            self.add(Connection(upstream=upstream, connection=number, state=state))

    def in_flight(self, label: str = "in-flight") -> Request:
        request = self.ask(label)
        self.call(request, status=None)
        return request


def _drain(*statuses: Any, body: Any = None, exit_after: float | None = 0.1, code: int = -15) -> History:
    """Three requests in flight, answered 2, 3 and 5 s after SIGTERM with these statuses (or failing so)."""
    story = Stop("drain")
    requests = [story.in_flight("in-flight" if place < 2 else "in-flight-long") for place in range(3)]
    story.terminate()
    for request, status, at in zip(requests, statuses or (200, 200, 200), (2, 3, 5), strict=True):
        story.at(at)
        if isinstance(status, int):
            story.answer(request, status, after=0, body=body, started=story.told - 1)
        else:
            story.fail(request, status, after=0)
    if exit_after is None:
        story.killed(at=15)
    else:
        story.exit(code, at=5 + exit_after)
    return story.end()


def _idle(*, exit_at: float | None = 0.3, code: int = -15) -> History:
    story = Stop("idle")
    story.terminate()
    if exit_at is None:
        story.killed(at=10)
    else:
        story.exit(code, at=exit_at)
    return story.end()


def _without_mlflow(*, exit_at: float | None = 2.0, code: int = -15) -> History:
    story = Stop("mlflow")
    story.add(Fault(name="outage", upstream="mlflow", on=True))
    story.serve("served")
    story.terminate()
    if exit_at is None:
        story.killed(at=36)
    else:
        story.exit(code, at=exit_at)
    return story.end()


def _stuck(
    *, exit_at: float | None = 20.0, code: int = -15, reached: bool = True, stall: float = 0.0
) -> History:
    """A hung request and a half-sent one; after 36 s the lab hangs up the half-sent one, at 39 s the hung one."""
    story = Stop("stuck")
    hung = story.ask("a silent model")
    if reached:
        story.call(hung, status=None)
    story.ask("half a prompt")
    story.terminate()
    if stall:
        story.at(stall + 1)
        story.add(Stall(seconds=stall))
    for label, at in (("half a prompt", 36), ("a silent model", 39)):
        if exit_at is None or exit_at > at:
            story.at(at)
            story.add(Socket(label=label, state="closed"))
    if exit_at is None:
        story.killed(at=42)
    else:
        story.exit(code, at=exit_at)
    return story.end()


def _died(experiment: str) -> History:
    """The service ends before it is told to."""
    story = Stop(experiment)
    story.exit(1)
    story.now += 1
    story.terminate()
    return story.end()


def _flooded(experiment: str) -> History:
    story = Stop(experiment)
    story.terminate()
    story.now += 1
    story.add(Exited(code=-9, cause="used more than 4096 MiB of memory"))
    return story.end()


# A request in flight gets its real answer.


def test_real_answers_passes_three_real_answers() -> None:
    verdict = checks.real_answers(_drain(), _idle())

    assert verdict.passed
    assert "3 answered in full, the last 5.0 s after SIGTERM" in verdict.actual


@pytest.mark.parametrize(
    ("statuses", "actual"),
    [
        ((200, 200, 500), "1 of 3: 500"),
        ((200, 503, 503), "2 of 3: 503"),
        ((200, 504, 200), "1 of 3: 504"),
        (("eof", "eof", "eof"), "3 of 3: the connection was closed"),
        ((200, "eof", 200), "after 0.00 s, 3.0 s after SIGTERM"),
        ((200, 200, "reset"), "1 of 3: the connection was reset"),
        ((200, 200, "timeout"), "1 of 3: no answer"),
    ],
)
def test_real_answers_fails_whatever_else_they_get(statuses: Sequence[Any], actual: str) -> None:
    verdict = checks.real_answers(_drain(*statuses), _idle())

    assert verdict.status == "failed"
    assert actual in verdict.actual
    assert verdict.evidence


def test_real_answers_fails_a_200_that_is_not_the_model_s() -> None:
    verdict = checks.real_answers(_drain(200, 200, 200, body={"response": "shutting down"}), _idle())

    assert verdict.status == "failed"
    assert "without the model's answer" in verdict.actual


def test_real_answers_counts_a_request_that_the_service_kept_waiting() -> None:
    story = Stop("drain")
    first, waiting = story.in_flight(), story.ask("in-flight")
    story.terminate()
    story.at(2)
    story.answer(first)
    story.answer(waiting, 503)
    story.exit()

    assert "1 of 2: 503" in checks.real_answers(story.end(), _idle()).actual


def test_real_answers_fails_requests_that_wait_for_each_other_until_it_is_too_late() -> None:
    story = Stop("drain")
    first, second, third = (story.ask("in-flight") for _ in range(3))
    story.call(first, status=None)
    story.terminate()
    story.at(6)
    story.add(Reply(call=2, outcome="answered", status=200))
    story.answer(first, after=0)
    story.call(second, lasting=13)
    for waiting in (second, third):
        story.fail(waiting, "eof", after=0)
    story.exit()

    verdict = checks.real_answers(story.end(), _idle())

    assert verdict.status == "failed"
    assert "2 of 3 had no answer by then; the model never had two requests at once" in verdict.actual


def test_real_answers_leaves_out_what_was_answered_before_the_signal() -> None:
    story = Stop("drain")
    early = story.in_flight()
    story.answer(early, 429)
    request = story.in_flight()
    story.terminate()
    story.at(2)
    story.answer(request)
    story.exit()

    assert "1 answered in full" in checks.real_answers(story.end(), _idle()).actual


def test_real_answers_fails_a_request_that_was_in_the_middle_of_its_body() -> None:
    for status, body, right in ((200, {"access_token": "t"}, True), (200, {}, False), (503, None, False)):
        story = Stop("drain")
        request, login = story.in_flight(), story.ask("in-flight", path="/auth/login")
        story.terminate()
        story.at(1)
        story.answer(login, status, after=0, body=body)
        story.at(2)
        story.answer(request, after=0)
        story.exit()

        assert checks.real_answers(story.end(), _idle()).passed is right


def _patient(status: int, label: str = "patient") -> History:
    story = Stop("idle")
    story.serve(label) if status == 200 else story.answer(story.ask(label), status)
    story.terminate()
    story.exit(at=1)
    return story.end()


def test_real_answers_asks_for_no_more_patience_than_a_service_has_without_a_signal() -> None:
    cut = _drain(200, 200, 504)

    assert checks.real_answers(cut, _patient(200)).status == "failed"
    assert checks.real_answers(cut, _patient(504)).passed
    assert checks.real_answers(_drain(200, 503, 504), _patient(504)).status == "failed"


def test_real_answers_waits_for_half_a_body_as_long_as_the_service_does_without_a_signal() -> None:
    story = Stop("drain")
    first, half = story.in_flight(), story.ask("in-flight-body")
    story.terminate()
    story.at(2)
    story.answer(first)
    story.at(3)
    story.answer(half, 503)
    story.exit()
    cut = story.end()

    assert "1 of 2: 503" in checks.real_answers(cut, _patient(200, "patient-body")).actual
    assert checks.real_answers(cut, _patient(408, "patient-body")).passed


def test_real_answers_waits_for_another_attempt_if_the_service_makes_one_without_a_signal() -> None:
    story = Stop("drain")
    first, retried = story.in_flight(), story.ask("in-flight-retried")
    story.call(retried, status=503)
    story.terminate()
    story.at(2)
    story.answer(first)
    story.answer(retried, 502)
    story.exit()
    cut = story.end()

    assert "1 of 2: 502" in checks.real_answers(cut, _patient(200, "patient-retried")).actual
    assert checks.real_answers(cut, _patient(502, "patient-retried")).passed


def test_real_answers_blames_the_machine_for_what_it_could_not_have_in_time() -> None:
    story = Stop("drain")
    request = story.in_flight()
    story.terminate()
    story.at(15.5)
    story.fail(request, "eof", after=0)
    story.exit()

    verdict = checks.real_answers(story.end(), _idle())

    assert (verdict.status, verdict.blame) == ("not judged", "machine")


def test_real_answers_is_not_judged_where_nothing_was_in_flight() -> None:
    story = Stop("drain")
    request = story.ask("in-flight")
    story.terminate()
    story.answer(request, 500)
    story.exit()

    verdict = checks.real_answers(story.end(), _idle())

    assert (verdict.status, verdict.blame) == ("not judged", "submission")


# The exit is bounded.


def test_exit_is_bounded_passes_within_bound_and_tolerance() -> None:
    verdict = checks.exit_is_bounded(
        _stuck(exit_at=34.9), _without_mlflow(exit_at=34.9), _without_mlflow(exit_at=30.0), _without_mlflow()
    )

    assert verdict.passed


@pytest.mark.parametrize(
    ("exit_at", "actual"),
    [
        (35.5, "exit after 35.5 s (tolerance 5 s)"),
        (36.2, "it still ran after 36 s: it exited only when the client of half a prompt had hung up"),
        (
            39.3,
            "it exited only when the client of half a prompt and then the client of a silent model had hung up",
        ),
        (
            None,
            "it still ran after 42 s, even when the client of half a prompt and the client of a silent model had hung up",
        ),
    ],
)
def test_exit_is_bounded_tells_what_kept_the_service(exit_at: float | None, actual: str) -> None:
    verdict = checks.exit_is_bounded(_stuck(exit_at=exit_at), *[_without_mlflow()] * 3)

    assert verdict.status == "failed"
    assert actual in verdict.actual


def test_exit_is_bounded_says_which_failure_of_mlflow_keeps_the_service() -> None:
    late, soon = _without_mlflow(exit_at=None), _without_mlflow()

    refused = checks.exit_is_bounded(_stuck(), late, soon, soon)
    hanging = checks.exit_is_bounded(_stuck(), soon, late, soon)
    dripping = checks.exit_is_bounded(_stuck(), soon, soon, late)

    assert {one.status for one in (refused, hanging, dripping)} == {"failed"}
    assert "MLflow refusing connections" in refused.expected
    assert "MLflow hanging" in hanging.expected
    assert "MLflow dripping" in dripping.expected
    assert "it still ran after 36 s" in refused.actual
    assert any(isinstance(event, Fault) for event in refused.evidence)


def test_exit_is_bounded_is_not_judged_where_no_request_hung() -> None:
    verdict = checks.exit_is_bounded(_stuck(reached=False), *[_without_mlflow()] * 3)

    assert (verdict.status, verdict.blame) == ("not judged", "submission")


def test_exit_is_bounded_blames_the_machine_where_the_lab_stood_still() -> None:
    verdict = checks.exit_is_bounded(_stuck(exit_at=35.8, stall=2.0), *[_without_mlflow()] * 3)

    assert (verdict.status, verdict.blame) == ("not judged", "machine")


# No new work.


def _knocks(
    *, status: int | None = None, error: str = "refused", called: bool = False, at: float = 2.0
) -> History:
    story = Stop("drain")
    story.terminate()
    early = story.ask("knock")
    story.call(early)
    story.answer(early)
    story.at(at)
    for _ in range(3):
        request = story.ask("knock")
        if called:
            story.call(request)
        if status:
            story.answer(request, status)
        else:
            story.fail(request, error, after=0.01)
    story.exit()
    return story.end()


@pytest.mark.parametrize("error", ["refused", "reset", "eof", "timeout"])
def test_no_new_work_passes_connections_that_come_to_nothing(error: str) -> None:
    assert checks.no_new_work(_knocks(error=error)).passed


@pytest.mark.parametrize("status", [503, 429, 401])
def test_no_new_work_passes_who_is_turned_away(status: int) -> None:
    verdict = checks.no_new_work(_knocks(status=status))

    assert verdict.passed
    assert f"3 answered {status}" in verdict.actual


@pytest.mark.parametrize(
    ("status", "called", "actual"),
    [
        (200, True, "3 of 3 were accepted"),
        (200, False, "3 of 3 were accepted"),
        (503, True, "3 of 3 were accepted"),
        (None, True, "3 of 3 were accepted"),
        (500, False, "3 of 3 got another answer"),
        (504, False, "3 of 3 got another answer"),
    ],
)
def test_no_new_work_fails_what_is_served_or_fails(status: int | None, *, called: bool, actual: str) -> None:
    verdict = checks.no_new_work(_knocks(status=status, called=called))

    assert verdict.status == "failed"
    assert actual in verdict.actual
    assert "2.0 s after SIGTERM" in verdict.actual


def test_no_new_work_gives_the_signal_a_second_to_be_heard() -> None:
    assert checks.no_new_work(_knocks(status=200, at=1.1)).status == "failed"
    verdict = checks.no_new_work(_knocks(status=200, at=0.9))
    assert verdict.passed
    assert "it had exited 0.9 s after SIGTERM" in verdict.actual


@pytest.mark.parametrize("label", ["knock", "idle", "unused", "just-served"])
@pytest.mark.parametrize("path", ["/llm/generate", "/auth/login", "/llm/models"])
@pytest.mark.parametrize("at", [1.2, 6.5, 11.5])
def test_no_new_work_fails_one_request_that_is_served_anywhere(label: str, path: str, at: float) -> None:
    story = Stop("drain")
    story.terminate()
    for moment in (1.2, 6.5, 11.5):
        story.at(moment)
        story.fail(story.ask("knock"), "refused", after=0)
        if moment == at:
            story.answer(story.ask(label, path=path), 200, after=0)
    story.exit()

    verdict = checks.no_new_work(story.end())

    assert verdict.status == "failed"
    assert f"1 of 4 were accepted; {path} on" in verdict.actual


def test_no_new_work_does_not_ask_for_endpoints_that_a_service_has_not() -> None:
    story = Stop("drain")
    story.terminate()
    story.at(2)
    story.answer(story.ask("knock", path="/llm/models", method="GET"), 404)
    story.answer(story.ask("knock"), 503)
    story.exit()

    assert checks.no_new_work(story.end()).passed


def test_no_new_work_fails_an_endpoint_that_breaks_instead_of_refusing() -> None:
    story = Stop("drain")
    story.terminate()
    story.at(2)
    story.answer(story.ask("knock", path="/auth/login"), 500)
    story.answer(story.ask("knock"), 503)
    story.exit()

    verdict = checks.no_new_work(story.end())

    assert verdict.status == "failed"
    assert "1 of 2 got another answer; /auth/login on" in verdict.actual


def _on_idle_connection(status: int) -> History:
    story = Stop("drain")
    story.answer(story.ask("idle", path="/health", method="GET"))
    story.terminate()
    story.at(1.5)
    story.answer(story.ask("idle"), status)
    story.exit()
    return story.end()


def test_no_new_work_asks_on_the_idle_connection_too() -> None:
    verdict = checks.no_new_work(_on_idle_connection(200))

    assert verdict.status == "failed"
    assert "on a connection that was idle before" in verdict.actual
    assert checks.no_new_work(_on_idle_connection(503)).passed


# Leaving promptly.


def test_leaves_promptly_passes_within_5_s_of_the_last_request_and_when_idle() -> None:
    verdict = checks.leaves_promptly(_drain(exit_after=5.0), _idle(exit_at=5.0))

    assert verdict.passed
    assert "exit 5.0 s after the last request was done" in verdict.actual


def test_leaves_promptly_counts_from_the_signal_where_requests_were_cut_before_it() -> None:
    story = Stop("drain")
    story.answer(story.in_flight())
    story.now += 3
    story.terminate()
    story.exit(at=4)

    assert "exit 4.0 s after" in checks.leaves_promptly(story.end(), _idle()).actual


@pytest.mark.parametrize(
    ("drain", "idle", "actual"),
    [
        (_drain(exit_after=6.5), _idle(), "6.5 s (tolerance 1 s)"),
        (_drain(exit_after=None), _idle(), "it still ran 15 s after SIGTERM"),
        (_drain(), _idle(exit_at=8.0), "8.0 s (tolerance 1 s)"),
        (_drain(), _idle(exit_at=None), "it still ran 10 s after SIGTERM"),
    ],
)
def test_leaves_promptly_fails_who_lingers(drain: History, idle: History, actual: str) -> None:
    verdict = checks.leaves_promptly(drain, idle)

    assert verdict.status == "failed"
    assert actual in verdict.actual


def test_leaves_promptly_blames_the_machine_where_the_lab_stood_still() -> None:
    story = Stop("idle")
    story.terminate()
    story.at(6)
    story.add(Stall(seconds=3.0))
    story.exit(at=7)

    verdict = checks.leaves_promptly(_drain(), story.end())

    assert (verdict.status, verdict.blame) == ("not judged", "machine")


# Exit codes.


def _codes(**codes: int) -> Verdict:
    return checks.exits_cleanly(
        _drain(code=codes.get("drain", -15)),
        _idle(code=codes.get("idle", -15)),
        _stuck(code=codes.get("stuck", -15)),
        _without_mlflow(code=codes.get("mlflow", -15)),
        _without_mlflow(),
    )


@pytest.mark.parametrize("code", [0, 143, -15])
def test_exits_cleanly_passes_clean_codes(code: int) -> None:
    assert _codes(drain=code, idle=code, stuck=code, mlflow=code).passed


@pytest.mark.parametrize("where", ["drain", "idle", "mlflow"])
@pytest.mark.parametrize("code", [1, 3, 137, -9, -11])
def test_exits_cleanly_fails_other_codes(where: str, code: int) -> None:
    verdict = _codes(**{where: code})

    assert verdict.status == "failed"
    assert f"exit code {code}" in verdict.actual


def test_a_slow_exit_is_late_and_clean_all_the_same() -> None:
    drain, idle = _drain(exit_after=12.0), _idle(exit_at=12.0)

    assert checks.leaves_promptly(drain, idle).status == "failed"
    assert checks.exits_cleanly(drain, idle, _stuck(), _without_mlflow(), _without_mlflow()).passed


def test_exits_cleanly_lets_what_hangs_be_ended_by_force_but_not_by_sigkill() -> None:
    assert _codes(stuck=1).passed
    assert _codes(stuck=137).status == "failed"
    assert _codes(stuck=-9).status == "failed"


def test_exits_cleanly_fails_who_never_exits_and_leaves_bounds_to_their_own_check() -> None:
    stays = checks.exits_cleanly(
        _drain(exit_after=None), _idle(), _stuck(), _without_mlflow(), _without_mlflow()
    )
    unbounded = checks.exits_cleanly(
        _drain(), _idle(), _stuck(exit_at=None), _without_mlflow(exit_at=None), _without_mlflow()
    )

    assert stays.status == "failed"
    assert unbounded.passed


# Nothing is lost.


def _traced(
    *, lost: Callable[[Stop, Request], bool] = lambda *_: False, status: int = 200, used: bool = True
) -> History:
    story = Stop("drain")
    story.add(Fault(name="outage", upstream="mlflow", on=True))
    story.trace_control()
    served = story.ask("served")
    story.call(served)
    story.answer(served, status)
    if not lost(story, served):
        story.trace(served, "file")
    request = story.in_flight()
    story.terminate()
    story.at(2)
    story.answer(request)
    story.exit(at=3)
    if not lost(story, request):
        story.trace(request)
    return story.end()


def test_loses_nothing_passes_traces_in_mlflow_and_in_files() -> None:
    whole = _traced()

    verdict = checks.loses_nothing(whole, whole, whole, whole, whole)

    assert verdict.passed
    assert "3 of 3 traces found" in verdict.actual


def test_loses_nothing_fails_one_lost_trace_anywhere() -> None:
    whole = _traced()
    lost = _traced(lost=lambda story, request: request.label == "in-flight")
    for position, when in enumerate(
        ("requests in flight", "nothing under way", "slow", "refusing connections", "hanging")
    ):
        histories = [whole] * 5
        histories[position] = lost

        verdict = checks.loses_nothing(*histories)

        assert verdict.status == "failed"
        assert when in verdict.expected
        assert (
            "1 of 3 were not found; one is of an answer 2.0 s after SIGTERM: none was found" in verdict.actual
        )
        assert "MLflow was never called" in verdict.actual


def test_loses_nothing_fails_what_holds_the_prompts_alone() -> None:
    whole = _traced()
    logged = History(
        event.model_copy(update={"holds": ("prompt", "model")})
        if isinstance(event, Trace) and event.place == "file"
        else event
        for event in whole.events
    )

    verdict = checks.loses_nothing(logged, whole, whole, whole, whole)

    assert verdict.status == "failed"
    assert "is without answer and tokens" in verdict.actual


def test_loses_nothing_asks_for_no_trace_of_what_was_not_answered() -> None:
    unanswered = _traced(status=503, lost=lambda story, request: request.label == "served")
    whole = _traced()

    verdict = checks.loses_nothing(unanswered, whole, unanswered, whole, whole)

    assert verdict.passed
    assert "2 of 2 traces found" in verdict.actual


# It says so.


def _saying(*lines: str, before: bool = False) -> History:
    story = Stop("drain")
    if before:
        story.log(SHUTTING_DOWN)
    story.now += 1
    story.terminate()
    story.now += 0.1
    for line in lines:
        story.add(Log(stream="stderr", text=line))
    story.exit()
    return story.end()


def _says_so(*lines: str, before: bool = False) -> Verdict:
    history = _saying(*lines, before=before)
    return checks.says_so(history, history, history)


@pytest.mark.parametrize(
    "line",
    [
        SHUTTING_DOWN,
        '{"level": "info", "message": "shutdown initiated", "in_flight": 3}',
        '{"event": "draining", "active": 2}',
        '{"message": "received signal 15"}',
        "2026-01-01 WARNING SIGTERM received",
        '{"message": "Service stopped"}',
        '{"message": "Closing database connections"}',
        '{"message": "Arr\\u00eat du service"}',
        "Arrêt en cours",
        '{"log": {"level": "info"}, "message": "graceful stop", "http": {"request": {"id": null}}}',
        '{"message": "stopping", "request_id": "-"}',
        '{"message": "Waiting for application shutdown.", "request_id": "startup"}',
        '{"message": "exiting", "trace_id": "00000000000000000000000000000000"}',
        '{"message": "exiting", "trace_id": "0x00000000000000000000000000000000"}',
        "[2026-11-27 00:31:12 +0000] [7] [INFO] Handling signal: term",
        '{"event": "closed http client"}',
        '{"message": "2 connections to the upstreams are closed"}',
        '{"event": "service_stopped"}',
        '{"event": "app_shutdown"}',
        '{"event": "serverStopping"}',
        '{"message": "Bye"}',
        '{"message": "The API is going down, tearing down its clients"}',
        '{"message": "Завершення роботи"}',
        '{"message": "Сервер остановлен"}',
        '{"message": "Spegnimento del servizio"}',
    ],
)
def test_says_so_passes_records_of_a_shutdown(line: str) -> None:
    assert _says_so(line).passed


def test_says_so_fails_silence_and_records_of_other_things() -> None:
    silent = _says_so(before=True)
    beside = _says_so('{"message": "request", "path": "/llm/generate", "status": 200}')

    assert (silent.status, silent.actual) == ("failed", "no line at all")
    assert (beside.status, beside.actual) == ("failed", "none among 1 lines")


@pytest.mark.parametrize(
    "line",
    [
        '{"message": "answered", "path": "/shutdown", "logger": "api.shutdown"}',
        '{"message": "answered", "prompt": "What does SIGTERM mean?"}',
        '{"message": "shutdown: request finished", "request_id": "2f6c1a90b7"}',
        '{"message": "stopped early", "http": {"request": {"id": "2f6c1a90b7"}}}',
        '{"message": "circuit closed"}',
        '{"event": "circuit_breaker_closed"}',
        '{"message": "Запит завершено"}',
        '{"message": "request terminated", "status": 503}',
        'INFO:     127.0.0.1:4711 - "GET /drain HTTP/1.1" 404 Not Found',
    ],
)
def test_says_so_fails_records_of_requests_and_other_fields(line: str) -> None:
    assert _says_so(line).status == "failed"


def test_says_so_asks_for_a_record_of_each_shutdown() -> None:
    said, silent = _saying(SHUTTING_DOWN), _saying()
    for histories in ((silent, said, said), (said, silent, said), (said, said, silent)):
        assert checks.says_so(*histories).status == "failed"


# Connections to the upstreams.


def _connections(
    *, end: Any = "eof", end_at: float | None = 0.9, exits: bool = True, experiment: str = "x"
) -> History:
    """One connection that the service closes at once, and one that ends `end_at` seconds after SIGTERM."""
    story = Stop(experiment)
    story.connection(1, "opened", "eof", upstream="qdrant")
    story.connection(1, "opened")
    story.terminate()
    if exits:
        story.exit(at=1.0)
    if end_at is not None:
        story.at(end_at)
        story.connection(1, end)
    story.at(10)
    story.connection(1, "closed")
    if not exits:
        story.killed(at=10)
    return story.end()


def _closes(*histories: History) -> Verdict:
    """Judge these histories, in the order of the check's parameters; the others are without fault."""
    others = [_connections()] * (5 - len(histories))
    return checks.closes_connections(*histories, *others)


def test_closes_connections_passes_ends_before_the_exit_and_soon_after() -> None:
    assert _closes(_connections(), _connections(end_at=1.5)).passed


def test_closes_connections_takes_the_upstream_s_own_close_for_an_end() -> None:
    closed = _connections(end="closed")

    assert _closes(closed, closed, closed).passed


@pytest.mark.parametrize("position", range(5))
def test_closes_connections_fails_a_reset_and_what_is_left(position: int) -> None:
    for broken, actual in (
        (_connections(end="reset"), "one to litellm was reset"),
        (_connections(end_at=None), "one to litellm was left open"),
        (_connections(end_at=6.5), "one to litellm was left open"),
    ):
        histories = [_connections()] * 5
        histories[position] = broken

        verdict = _closes(*histories)

        assert verdict.status == "failed"
        assert actual in verdict.actual


@pytest.mark.parametrize("status", [None, 200])
def test_closes_connections_lets_a_call_be_given_up(status: int | None) -> None:
    story = Stop("drain")
    story.terminate()
    story.connection(7, "opened", upstream="mlflow")
    call = Call(call=99, upstream="mlflow", method="POST", path="/v1/traces", connection=7)
    story.add(call)
    story.at(2)
    if status:
        story.add(Reply(call=99, outcome="answered", status=status))
    story.at(2.1)
    story.connection(7, "reset", upstream="mlflow")
    story.exit(at=3)
    history = story.end()

    assert _closes(history, history, history).passed


def test_closes_connections_does_not_judge_those_to_what_the_lab_has_broken() -> None:
    story = Stop("mlflow")
    story.add(Fault(name="hang", upstream="mlflow", on=True))
    story.connection(7, "opened", "reset", upstream="mlflow")
    story.terminate()
    story.exit(at=1)

    assert _closes(_connections(), _connections(), _connections(), story.end()).passed


def test_closes_connections_needs_an_exit_but_leaves_bounds_to_their_own_check() -> None:
    stays = _connections(exits=False)

    assert _closes(stays).status == "failed"
    assert _closes(_connections(), _connections(), stays, stays, stays).passed


# A service that is not there to be told.


def test_a_service_that_ended_before_sigterm_fails_everything() -> None:
    died = _died("drain")
    for verdict in (
        checks.real_answers(died, _idle()),
        checks.exit_is_bounded(died, died, died, died),
        checks.no_new_work(died),
        checks.leaves_promptly(died, died),
        checks.exits_cleanly(died, died, died, died, died),
        checks.loses_nothing(died, died, died, died, died),
        checks.says_so(died, died, died),
        checks.closes_connections(died, died, died, died, died),
    ):
        assert verdict.status == "failed"
        assert verdict.actual == "it had exited with code 1 before SIGTERM"


def test_a_service_that_the_grader_ended_fails_with_the_reason() -> None:
    flooded = _flooded("drain")

    verdict = checks.leaves_promptly(flooded, flooded)

    assert verdict.status == "failed"
    assert verdict.actual == "it used more than 4096 MiB of memory"


def test_nothing_is_judged_without_a_signal() -> None:
    history = Stop("drain").end()

    verdict = checks.says_so(history, history, history)

    assert (verdict.status, verdict.blame) == ("not judged", "harness")


def test_no_new_work_is_not_judged_where_the_lab_could_not_ask() -> None:
    story = Stop("drain")
    story.terminate()
    story.at(3.2)
    story.add(Stall(seconds=3.0))
    story.at(4.5)
    story.fail(story.ask("knock"), "refused", after=0)
    story.exit()

    verdict = checks.no_new_work(story.end())

    assert (verdict.status, verdict.blame) == ("not judged", "machine")
