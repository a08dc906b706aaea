"""The checks of exercise 2. Each judges recorded histories alone; its parameters name the experiments."""

import json
from collections import Counter
from collections.abc import Sequence

from chaos.contract import field
from chaos.history import Answer, Exchange, Exited, Failure, Fault, History, Log, Socket, Trace, UpstreamCall
from chaos.keys import answer_code
from exercises.exam.ex2_graceful_shutdown.connections import let_go
from exercises.exam.ex2_graceful_shutdown.shutdown_log import tells_of_shutdown
from exercises.exam.ex2_graceful_shutdown.stopping import exit_of, not_gone, not_told, sigterm, watched
from exercises.exam.ex2_graceful_shutdown.times import (
    DRAIN_SECONDS,
    EXIT_SECONDS,
    HEARD_SECONDS,
    PROMPT_SECONDS,
    PROMPT_TOLERANCE_SECONDS,
)
from exercises.exam.promises import TOLERANCE_SECONDS
from exercises.exam.queueing import explain_queue
from lab.reading import excerpt, outcome
from lab.timing import blame_stalls, stalled, too_busy, undisturbed_between
from lab.traces import kept, shortfall
from lab.verdict import Verdict, all_of, failed, not_judged, passed

CLEAN_CODES = {0, 143, -15}
KILLED_CODES = {137, -9}
TURNED_AWAY = {503, 429, 401, 403}
"""A 429 is the service's own rate limiter; 401 and 403 are whoever got the port after it."""
ASKED_LABELS = ("knock", "idle", "unused", "just-served")
CONNECTIONS = {"knock": "a new connection", "just-served": "a connection that had just been served"}
"""What requests for new work were sent on, where that is not an idle or unused connection."""
AT_THE_MODEL = ("a silent model", "a dripping model")
"""What hangs at the model. A service that sends it one request at a time has one of them hang."""
UNASKED_SHARE = 0.5
"""Where the lab stood still for so much of the drain, it has not asked often enough to see new work taken on."""
PATIENT_LABELS = {
    "in-flight-long": "patient",
    "in-flight-body": "patient-body",
    "in-flight-retried": "patient-retried",
}
"""What a service is asked to wait for at SIGTERM, and the label of what shows that it waits so long at all."""


def real_answers(drain: History, idle: History) -> Verdict:
    if fault := not_told(drain):
        return fault
    told = sigterm(drain)
    in_flight = [one for one in _in_flight(drain, idle) if not one.end or one.end.t > told.t]
    if not any(call.call.t <= told.t for one in in_flight for call in _model_calls(drain, one)):
        return not_judged("no request was with the model when SIGTERM came", told, blame="submission")
    expected = (
        "the real answer to every request in flight at SIGTERM that can have it within "
        f"{DRAIN_SECONDS:.0f} s: the model's, with 200"
    )
    cut = [one for one in in_flight if not _is_real(drain, one)]
    late = [one for one in cut if one.end and one.end.t - told.t > DRAIN_SECONDS]
    if early := [one for one in cut if one not in late]:
        first = early[0]
        when = f", {first.end.t - told.t:.1f} s after SIGTERM" if first.end else ""
        actual = f"{len(early)} of {len(in_flight)}: {_how_wrong(drain, first)}{when}"
        return failed(expected, actual, first.end, told)
    if late and (why := explain_queue(drain)):
        return failed(
            expected, f"{len(late)} of {len(in_flight)} had no answer by then{why}", late[0].end, told
        )
    if late:
        return too_busy(f"have it all answered within {DRAIN_SECONDS:.0f} s", late[0].end, told)
    longest = max(one.end.t - told.t for one in in_flight if one.end)
    return passed(
        f"{len(in_flight)} answered in full, the last {longest:.1f} s after SIGTERM", in_flight[-1].end
    )


def exit_is_bounded(
    stuck: History, mlflow_refused: History, mlflow_hanging: History, mlflow_dripping: History
) -> Verdict:
    return all_of(
        [
            _bounded_while_stuck(stuck),
            _bounded(mlflow_refused, "MLflow refusing connections"),
            _bounded(mlflow_hanging, "MLflow hanging"),
            _bounded(mlflow_dripping, "MLflow dripping"),
        ]
    )


def no_new_work(drain: History) -> Verdict:
    if fault := not_told(drain):
        return fault
    told, exited = sigterm(drain), exit_of(drain)
    asked = [one for label in ASKED_LABELS for one in drain.exchanges(label) if _is_late(drain, told.t, one)]
    if not asked and exited:
        return passed(
            f"it had exited {exited.t - told.t:.1f} s after SIGTERM, before any new request", exited
        )
    if not asked:
        return not_judged("no new request was sent after SIGTERM")
    expected = f"refused, closed or 503 for requests sent later than {HEARD_SECONDS:.0f} s after SIGTERM"
    for which, what in (
        ([one for one in asked if _is_taken(drain, one)], "were accepted"),
        ([one for one in asked if _is_another_answer(drain, one)], "got another answer"),
    ):
        if which:
            first = which[0]
            return failed(
                expected,
                f"{len(which)} of {len(asked)} {what}; {first.request.path} on {_where(first)} "
                f"{first.request.t - told.t:.1f} s after SIGTERM: {outcome(first.end)}",
                first.end or first.request,
                told,
            )
    last = max(one.request.t for one in asked)
    pause = stalled(drain, told.t, last)
    if pause > UNASKED_SHARE * (last - told.t):
        return too_busy(f"ask for {pause:.1f} s", told)
    ends = Counter(_ending(one.end) for one in asked)
    return passed(", ".join(f"{count} {what}" for what, count in ends.most_common()), asked[0].end)


def leaves_promptly(drain: History, idle: History) -> Verdict:
    in_flight = [one for one in drain.exchanges() if one.request.label.startswith("in-flight")]
    return all_of(
        [
            _prompt(drain, "the last request was done", in_flight),
            _prompt(idle, "SIGTERM, with nothing under way"),
        ]
    )


def exits_cleanly(
    drain: History, idle: History, stuck: History, mlflow_refused: History, mlflow_hanging: History
) -> Verdict:
    expected = "exit code 0, or 143 / -15 (ended by SIGTERM)"
    for history in (drain, idle):
        if fault := not_told(history) or not_gone(history, expected):
            return fault
    codes = []
    for history in (drain, idle, mlflow_refused, mlflow_hanging, stuck):
        exited = exit_of(history)
        if not exited:
            continue  # that is for exit_is_bounded to tell
        # To end what hangs by force is a way to keep the bound, and may have a code of its own; SIGKILL is none.
        if exited.code in KILLED_CODES or (history is not stuck and exited.code not in CLEAN_CODES):
            return failed(expected, f"exit code {exited.code}", exited, sigterm(history))
        codes.append(exited)
    seen = ", ".join(str(code) for code in sorted({exited.code for exited in codes}))
    return passed(f"exit code {seen} in {len(codes)} exits", codes[0])


def loses_nothing(
    drain: History, idle: History, stuck: History, mlflow_refused: History, mlflow_hanging: History
) -> Verdict:
    return all_of(
        [
            _traces_kept(drain, "at a SIGTERM with requests in flight"),
            _traces_kept(idle, "at a SIGTERM with nothing under way"),
            _traces_kept(stuck, "with MLflow slow"),
            _traces_kept(mlflow_refused, "with MLflow refusing connections", "a local file"),
            _traces_kept(mlflow_hanging, "with MLflow hanging", "a local file"),
        ]
    )


def says_so(drain: History, idle: History, stuck: History) -> Verdict:
    return all_of(
        [
            _says_so(drain, "with requests in flight"),
            _says_so(idle, "with nothing under way"),
            _says_so(stuck, "with requests that hang"),
        ]
    )


def closes_connections(
    drain: History, idle: History, stuck: History, mlflow_refused: History, mlflow_hanging: History
) -> Verdict:
    expected = "every connection to an upstream is closed (EOF) by the exit"
    for history in (drain, idle):
        if fault := not_told(history) or not_gone(history, expected):
            return fault
    histories = (drain, idle, stuck, mlflow_refused, mlflow_hanging)
    return all_of(let_go(history, exited, expected) for history in histories if (exited := exit_of(history)))


def _in_flight(drain: History, idle: History) -> list[Exchange]:
    """Return what was in flight, without what the service would not have waited for anyway."""
    return [
        one
        for one in drain.exchanges()
        if one.request.label.startswith("in-flight")
        and all(_is_real(idle, shown) for shown in idle.exchanges(PATIENT_LABELS.get(one.request.label, "")))
    ]


def _model_calls(history: History, exchange: Exchange) -> list[UpstreamCall]:
    return history.calls(key=exchange.request.key) if exchange.request.key else []


def _is_real(history: History, exchange: Exchange) -> bool:
    end, key, login = exchange.end, exchange.request.key, history.contract.login
    if not isinstance(end, Answer) or end.status != 200:
        return False
    if key:
        return answer_code(key) in end.body
    try:
        return bool(login and field(json.loads(end.body), login.token))
    except (ValueError, RecursionError):
        return False


def _how_wrong(history: History, exchange: Exchange) -> str:
    if exchange.status == 200:
        return "200 without the model's answer" if exchange.request.key else "200 without a token"
    where = "" if exchange.request.path == _ask_path(history) else f" of {exchange.request.path}"
    return outcome(exchange.end) + where


def _ask_path(history: History) -> str:
    return history.contract.ask.path if history.contract.ask else ""


def _is_taken(history: History, exchange: Exchange) -> bool:
    return bool(_model_calls(history, exchange)) or (exchange.status or 500) < 400


def _is_another_answer(history: History, exchange: Exchange) -> bool:
    """Return whether new work failed instead of being refused. A service need not have every endpoint."""
    status = exchange.status or 0
    failing = 400 if exchange.request.path == _ask_path(history) else 500
    return status >= failing and status not in TURNED_AWAY


def _where(exchange: Exchange) -> str:
    label = exchange.request.label
    return CONNECTIONS.get(label, f"a connection that was {label} before")


def _bounded_while_stuck(stuck: History) -> Verdict:
    if fault := not_told(stuck):
        return fault
    told = sigterm(stuck)
    hung = [
        call for kind in AT_THE_MODEL for one in stuck.exchanges(kind) for call in _model_calls(stuck, one)
    ]
    if not any(call.call.t <= told.t for call in hung):
        return not_judged("no request reached the hanging model before SIGTERM", told, blame="submission")
    return _bounded(stuck, "requests that hang or stop midway, a slow MLflow and a hanging Qdrant")


def _bounded(history: History, what: str) -> Verdict:
    if fault := not_told(history):
        return fault
    told, exited = sigterm(history), exit_of(history)
    limit = EXIT_SECONDS + TOLERANCE_SECONDS
    expected = f"with {what}: an exit within {EXIT_SECONDS:.0f} s of SIGTERM"
    if exited and exited.t - told.t <= limit:
        return passed(f"{what}: exit after {exited.t - told.t:.1f} s", exited)
    waited = exited.t - told.t if exited else watched(history)
    least = undisturbed_between(history, told.t, told.t + waited)
    if busy := blame_stalls(least, limit, "exit", told):
        return busy
    culprit = _culprit(history, exited)
    if exited and not culprit:
        return failed(
            expected, f"exit after {waited:.1f} s (tolerance {TOLERANCE_SECONDS:.0f} s)", exited, told
        )
    return failed(
        expected, f"it still ran after {waited:.0f} s{culprit}", exited or told, history.first(Fault)
    )


def _culprit(history: History, exited: Exited | None) -> str:
    """Say which of the held connections kept the process, as seen from when it left."""
    released = [
        event for event in history.of(Socket) if event.state == "closed" and event.t > sigterm(history).t
    ]
    if exited:
        released = [event for event in released if event.t <= exited.t]
    clients = [f"the client of {event.label}" for event in released]
    if not clients:
        return ""
    if not exited:
        return f", even when {' and '.join(clients)} had hung up"
    return f": it exited only when {' and then '.join(clients)} had hung up"


def _is_late(history: History, told: float, exchange: Exchange) -> bool:
    """Return whether a request was sent when the signal must have been heard."""
    return undisturbed_between(history, told, exchange.request.t) > HEARD_SECONDS


def _ending(end: Answer | Failure | None) -> str:
    if isinstance(end, Answer):
        return f"answered {end.status}"
    return {"timeout": "left waiting", "eof": "closed"}.get(end.error, end.error) if end else "left waiting"


def _prompt(history: History, when: str, requests: Sequence[Exchange] = ()) -> Verdict:
    """Judge that the process left in time after SIGTERM, or after the last of `requests` if that was later."""
    expected = f"an exit within {PROMPT_SECONDS:.0f} s after {when}"
    if fault := not_told(history) or not_gone(history, expected):
        return fault
    exited = exit_of(history)
    assert exited
    done = max([sigterm(history).t, *(one.end.t for one in requests if one.end)])
    took = exited.t - done
    limit = PROMPT_SECONDS + PROMPT_TOLERANCE_SECONDS
    if took > limit:
        actual = f"{took:.1f} s (tolerance {PROMPT_TOLERANCE_SECONDS:.0f} s)"
        least = undisturbed_between(history, done, exited.t)
        return blame_stalls(least, limit, "exit", exited) or failed(
            expected, actual, exited, sigterm(history)
        )
    return passed(f"exit {max(took, 0):.1f} s after {when}", exited)


def _traces_kept(history: History, when: str, place: str = "MLflow or a local file") -> Verdict:
    if fault := not_told(history):
        return fault
    answered = [one for one in history.exchanges() if one.request.key and _is_real(history, one)]
    lost = [one for one in answered if not kept(history, one.request.key)]
    if lost:
        before = sigterm(history).t - (lost[0].end or lost[0].request).t
        moment = f"{abs(before):.1f} s {'before' if before > 0 else 'after'} SIGTERM"
        never = "" if history.calls("mlflow") else "; MLflow was never called"
        return failed(
            f"{when}: the trace of every answered request in {place} by the exit, "
            "with prompt, answer, model and token counts",
            f"{len(lost)} of {len(answered)} were not found; one is of an answer {moment}: "
            f"{shortfall(history, lost[0].request.key)}{never}",
            lost[0].end,
            history.first(Fault),
        )
    return passed(f"{when}: {len(answered)} of {len(answered)} traces found", *history.of(Trace)[-1:])


def _says_so(history: History, when: str) -> Verdict:
    if fault := not_told(history):
        return fault
    told = sigterm(history)
    lines = [event for event in history.instance().of(Log) if event.t >= told.t]
    if said := [line for line in lines if tells_of_shutdown(line)]:
        return passed(f"{when}: {len(said)} records, such as '{excerpt(said[0].text, 80)}'", said[0])
    return failed(
        f"{when}: log records between SIGTERM and the exit that tell of the shutdown and carry no request id",
        f"none among {len(lines)} lines" if lines else "no line at all",
        told,
        *lines[-1:],
    )
