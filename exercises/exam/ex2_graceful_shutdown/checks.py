"""The checks of exercise 2. Each judges recorded histories alone; its parameters name the experiments.

Leaving is what the process does by itself after SIGTERM; that the lab kills what is left at its end is no exit.
"""

import re
from collections import Counter
from collections.abc import Sequence

from chaos.history import (
    Answer,
    Call,
    Connection,
    Exchange,
    Exited,
    Failure,
    Fault,
    History,
    Log,
    Reply,
    Signalled,
    Socket,
    Trace,
)
from chaos.keys import answer_code
from exercises.exam.ex2_graceful_shutdown.times import (
    EXIT_SECONDS,
    HEARD_SECONDS,
    LET_GO_SECONDS,
    PROMPT_SECONDS,
    PROMPT_TOLERANCE_SECONDS,
)
from exercises.exam.promises import TOLERANCE_SECONDS
from lab.reading import excerpt, outcome
from lab.timing import blame_stalls, stalled, too_busy, undisturbed_between
from lab.verdict import Verdict, all_of, failed, not_judged, passed

CLEAN_CODES = {0, 143, -15}
KILLED_CODES = {137, -9}
TURNED_AWAY = {503, 429, 401, 403}
"""A 429 is the service's own rate limiter; 401 and 403 are whoever got the port after it."""
REST_SECONDS = 0.5
KNOCKING_SECONDS = 2.5
UNASKED_SECONDS = 1.0
"""The lab asks for new work for so long after SIGTERM; what it does not ask for so long could have been served."""
ANSWERED_LABELS = ("control", "served", "in-flight")
_SAYS_SO = re.compile(
    r"shut(?:ting|s)?[ _-]?down|drain|graceful|sig(?:nal|term)|termin|stopp(?:ed|ing)|clos(?:ed|ing)|exiting"
    r"|finished server process|arr(?:ê|e|\\u00ea)t|fermeture",
    re.IGNORECASE,
)
"""What records of a shutdown say, in English or French; uvicorn's own count where they are let through."""


def real_answers(drain: History) -> Verdict:
    if fault := _not_told(drain):
        return fault
    told = _told(drain)
    in_flight = [one for one in drain.exchanges("in-flight") if not one.end or one.end.t > told.t]
    reached = [
        one for one in in_flight if any(call.call.t <= told.t for call in drain.calls(key=one.request.key))
    ]
    if not reached:
        return not_judged("no request was with the model when SIGTERM came", told, blame="submission")
    expected = "200 with the model's answer for every request that was in flight at SIGTERM"
    cut = [one for one in in_flight if not _is_real(one)]
    if cut:
        count = f"{len(cut)} of {len(in_flight)}: "
        return failed(expected, count + _how_wrong(cut[0]), cut[0].end, told)
    longest = max(one.end.t - told.t for one in in_flight if one.end)
    return passed(
        f"{len(in_flight)} answered in full, the last {longest:.1f} s after SIGTERM", in_flight[-1].end
    )


def exit_is_bounded(stuck: History, mlflow_refused: History, mlflow_hanging: History) -> Verdict:
    return all_of(
        [
            _bounded_while_stuck(stuck),
            _bounded(mlflow_refused, "MLflow refusing connections"),
            _bounded(mlflow_hanging, "MLflow hanging"),
        ]
    )


def no_new_work(drain: History) -> Verdict:
    if fault := _not_told(drain):
        return fault
    told = _told(drain)
    asked = [one for one in drain.exchanges("knock") + drain.exchanges("idle") if _is_late(drain, told, one)]
    if not asked:
        return not_judged("nothing was asked after SIGTERM")
    pause = stalled(drain, told.t, told.t + KNOCKING_SECONDS)
    expected = f"refused, closed or 503 for what is asked later than {HEARD_SECONDS:.0f} s after SIGTERM"
    taken = [one for one in asked if drain.calls(key=one.request.key) or (one.status or 500) < 400]
    wrong = [one for one in asked if one.status and one.status >= 400 and one.status not in TURNED_AWAY]
    for which, what in ((taken, "were taken on"), (wrong, "got another answer")):
        if which:
            later = which[0].request.t - told.t
            where = " on the idle connection" if which[0].request.label == "idle" else ""
            return failed(
                expected,
                f"{len(which)} of {len(asked)} {what}; one{where} {later:.1f} s after SIGTERM: {outcome(which[0].end)}",
                which[0].end or which[0].request,
                told,
            )
    if pause > UNASKED_SECONDS:
        return too_busy(f"ask for {pause:.1f} s", told)
    ends = Counter(_ending(one.end) for one in asked)
    return passed(", ".join(f"{count} {what}" for what, count in ends.most_common()), asked[0].end)


def leaves_promptly(drain: History, idle: History) -> Verdict:
    return all_of(
        [
            _prompt(drain, "the last request was done", drain.exchanges("in-flight")),
            _prompt(idle, "SIGTERM, with nothing under way"),
        ]
    )


def exits_cleanly(
    drain: History, idle: History, stuck: History, mlflow_refused: History, mlflow_hanging: History
) -> Verdict:
    expected = "exit code 0, or 143 / -15 (ended by SIGTERM)"
    for history in (drain, idle):
        if fault := _not_told(history) or _not_gone(history, expected):
            return fault
    codes = []
    for history in (drain, idle, mlflow_refused, mlflow_hanging, stuck):
        exited = _exit(history)
        if not exited:
            continue  # that is for exit_is_bounded to tell
        # To end what hangs by force is a way to keep the bound, and may have a code of its own; SIGKILL is none.
        if exited.code in KILLED_CODES or (history is not stuck and exited.code not in CLEAN_CODES):
            return failed(expected, f"exit code {exited.code}", exited, _told(history))
        codes.append(exited)
    seen = ", ".join(str(code) for code in sorted({exited.code for exited in codes}))
    return passed(f"exit code {seen} in {len(codes)} exits", codes[0])


def loses_nothing(drain: History, idle: History, mlflow_refused: History, mlflow_hanging: History) -> Verdict:
    return all_of(
        [
            _traces_kept(drain, "at a SIGTERM with requests in flight"),
            _traces_kept(idle, "at a SIGTERM with nothing under way"),
            _traces_kept(mlflow_refused, "with MLflow refusing connections", "a local file"),
            _traces_kept(mlflow_hanging, "with MLflow hanging", "a local file"),
        ]
    )


def says_so(drain: History) -> Verdict:
    if fault := _not_told(drain):
        return fault
    told = _told(drain)
    lines = [event for event in drain.instance().of(Log) if event.t >= told.t]
    if said := [line for line in lines if _SAYS_SO.search(line.text)]:
        return passed(f"{len(said)} records, such as '{excerpt(said[0].text, 80)}'", said[0])
    expected = "log records between SIGTERM and the exit that tell of the shutdown"
    return failed(
        expected, f"none among {len(lines)} lines" if lines else "no line at all", told, *lines[-1:]
    )


def closes_connections(drain: History, idle: History, stuck: History) -> Verdict:
    expected = "every connection to an upstream is closed (EOF) by the exit"
    for history in (drain, idle):
        if fault := _not_told(history) or _not_gone(history, expected):
            return fault
    return all_of(
        _let_go(history, exited, expected) for history in (drain, idle, stuck) if (exited := _exit(history))
    )


def _told(history: History) -> Signalled:
    return next(event for event in history.instance().of(Signalled) if event.signal == "SIGTERM")


def _not_told(history: History) -> Verdict | None:
    """Return why there was no service to end; None where SIGTERM met a running one."""
    told = next((event for event in history.instance().of(Signalled) if event.signal == "SIGTERM"), None)
    exited = history.instance().first(Exited)
    if exited and (told is None or exited.t < told.t):
        return failed("the service runs until it is told to stop", _exit_in_words(exited), exited)
    if told is None:
        return not_judged("SIGTERM was never sent")
    if exited and exited.cause and exited.cause != "killed by the lab":
        return failed("the service ends by itself after SIGTERM", _exit_in_words(exited), exited, told)
    return None


def _exit(history: History) -> Exited | None:
    """Return the exit that the service made by itself."""
    killed = next((event for event in history.instance().of(Signalled) if event.signal == "SIGKILL"), None)
    exited = history.instance().first(Exited)
    if exited is None or exited.cause or (killed and killed.t <= exited.t):
        return None
    return exited


def _exit_in_words(exited: Exited) -> str:
    return f"it {exited.cause}" if exited.cause else f"it had exited with code {exited.code} before SIGTERM"


def _not_gone(history: History, expected: str) -> Verdict | None:
    if _exit(history):
        return None
    told = _told(history)
    return failed(expected, f"it still ran {_watched(history):.0f} s after SIGTERM", told)


def _watched(history: History) -> float:
    """Return for how many seconds after SIGTERM the lab looked on."""
    killed = next((event for event in history.instance().of(Signalled) if event.signal == "SIGKILL"), None)
    return (killed or history.events[-1]).t - _told(history).t


def _is_real(exchange: Exchange) -> bool:
    end = exchange.end
    return (
        isinstance(end, Answer) and end.status == 200 and answer_code(exchange.request.key or "") in end.body
    )


def _how_wrong(exchange: Exchange) -> str:
    return "200 without the model's answer" if exchange.status == 200 else outcome(exchange.end)


def _bounded_while_stuck(stuck: History) -> Verdict:
    if fault := _not_told(stuck):
        return fault
    told = _told(stuck)
    [hung] = stuck.exchanges("hung")
    if not any(call.call.t <= told.t for call in stuck.calls(key=hung.request.key)):
        return not_judged("no request reached the hanging model before SIGTERM", told, blame="submission")
    return _bounded(stuck, "a request that hangs and a body that never ends")


def _bounded(history: History, what: str) -> Verdict:
    if fault := _not_told(history):
        return fault
    told, exited = _told(history), _exit(history)
    limit = EXIT_SECONDS + TOLERANCE_SECONDS
    expected = f"with {what}: an exit within {EXIT_SECONDS:.0f} s of SIGTERM"
    if exited and exited.t - told.t <= limit:
        return passed(f"{what}: exit after {exited.t - told.t:.1f} s", exited)
    waited = exited.t - told.t if exited else _watched(history)
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
        event for event in history.of(Socket) if event.state == "closed" and event.t > _told(history).t
    ]
    if exited:
        released = [event for event in released if event.t <= exited.t]
    clients = [f"the client of the {event.label} request" for event in released]
    if not clients:
        return ""
    if not exited:
        return f", even when {' and '.join(clients)} had hung up"
    return f": it left only when {' and then '.join(clients)} had hung up"


def _is_late(history: History, told: Signalled, exchange: Exchange) -> bool:
    """Return whether a request was sent when the signal must have been heard."""
    return undisturbed_between(history, told.t, exchange.request.t) > HEARD_SECONDS


def _ending(end: Answer | Failure | None) -> str:
    if isinstance(end, Answer):
        return f"answered {end.status}"
    return {"timeout": "left waiting", "eof": "closed"}.get(end.error, end.error) if end else "left waiting"


def _prompt(history: History, when: str, requests: Sequence[Exchange] = ()) -> Verdict:
    """Judge that the process left in time after SIGTERM, or after the last of `requests` if that was later."""
    expected = f"an exit within {PROMPT_SECONDS:.0f} s after {when}"
    if fault := _not_told(history) or _not_gone(history, expected):
        return fault
    exited = _exit(history)
    assert exited
    done = max([_told(history).t, *(one.end.t for one in requests if one.end)])
    took = exited.t - done
    limit = PROMPT_SECONDS + PROMPT_TOLERANCE_SECONDS
    if took > limit:
        actual = f"{took:.1f} s (tolerance {PROMPT_TOLERANCE_SECONDS:.0f} s)"
        least = undisturbed_between(history, done, exited.t)
        return blame_stalls(least, limit, "exit", exited) or failed(expected, actual, exited, _told(history))
    return passed(f"exit {max(took, 0):.1f} s after {when}", exited)


def _traces_kept(history: History, when: str, place: str = "MLflow or a local file") -> Verdict:
    if fault := _not_told(history):
        return fault
    answered = [one for label in ANSWERED_LABELS for one in history.exchanges(label) if _is_real(one)]
    found = {trace.key for trace in history.of(Trace)}
    lost = [one for one in answered if one.request.key not in found]
    if lost:
        before = _told(history).t - (lost[0].end or lost[0].request).t
        moment = f"{abs(before):.1f} s {'before' if before > 0 else 'after'} SIGTERM"
        never = "" if history.calls("mlflow") else "; MLflow was never called"
        return failed(
            f"{when}: the trace of every answered request in {place} by the exit",
            f"{len(lost)} of {len(answered)} were not found; one is of an answer {moment}{never}",
            lost[0].end,
            history.first(Fault),
        )
    return passed(f"{when}: {len(answered)} of {len(answered)} traces found", *history.of(Trace)[-1:])


def _let_go(history: History, exited: Exited, expected: str) -> Verdict:
    ends: dict[tuple[str, int], Connection] = {}
    for event in history.of(Connection):
        if event.state != "opened":
            ends.setdefault((event.upstream, event.connection), event)
    opened = [event for event in history.of(Connection) if event.state == "opened"]
    for event in opened:
        end = ends.get((event.upstream, event.connection))
        if end is None or end.t > exited.t + LET_GO_SECONDS:
            return failed(expected, f"one to {event.upstream} was left open", event, exited)
        if end.state == "reset" and _at_rest(history, end):
            return failed(expected, f"one to {event.upstream} was reset", end, exited)
    return passed(f"{len(opened)} connections, none left", *opened[-1:])


def _at_rest(history: History, end: Connection) -> bool:
    """Return whether a connection ended a while after its last answer.

    One that is given up midway, for a call's own time-out, is reset by the fault proxy's rest of the answer.
    """
    calls = {
        event.call
        for event in history.of(Call)
        if (event.upstream, event.connection) == (end.upstream, end.connection)
    }
    replies = {event.call: event.t for event in history.of(Reply)}
    return all(replies.get(call, end.t) < end.t - REST_SECONDS for call in calls)
