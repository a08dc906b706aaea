"""Whether the control phase of a history holds: the service starts, works, and its traffic is seen upstream.

Without it no fault can be judged: an answer that never came before the fault says nothing about the fault. A criterion
that needs less than an answer of the model is judged although more is broken.
"""

from typing import Literal, get_args

from chaos.history import (
    Answer,
    Call,
    Ended,
    Event,
    Exited,
    Failure,
    HarnessFault,
    History,
    Launched,
    Log,
    Overran,
    Ready,
    Reply,
    Signalled,
    Skipped,
)
from chaos.keys import answer_code
from lab.reading import describe_exit, excerpt
from lab.verdict import Verdict, failed, not_judged

Need = Literal["nothing", "start", "login", "answer"]
"""What must work: nothing (files are read), the start, a login, an answer of the model."""
NEEDS: tuple[Need, ...] = get_args(Need)
"""The needs in their order: each includes those before it."""

LABEL = "control"
LOGIN_LABEL = "login"
LOG_LINES = 15
AFTER_SECONDS = 0.5
"""A log line may be read so much later than the answer that it is about."""
START_TRIES = 3
"""How often a service is started that could not bind its port, each time with another one."""
_USAGE_CODE = 2
"""With this code programs exit that miss an option or do not know one."""
_USAGE_HELP = "code 2 is often about options, and only known servers have `--host` and `--port` added"
PORT_TAKEN = "address already in use"
"""Part of what a server prints that cannot bind its port."""


def problem(history: History, need: Need = "answer") -> Verdict | None:
    """Return why nothing that has this need can be judged on this history; None where the control phase holds."""
    if fault := history.first(HarnessFault):
        return not_judged(fault.reason, fault)
    history = history.instance()
    checks = {"start": _not_started, "login": _not_logged_in, "answer": _not_answered}
    for stage in NEEDS[1 : NEEDS.index(need) + 1]:
        if found := checks[stage](history):
            return found
    return None


def reached(history: History) -> Need:
    """Return how far the control phase came."""
    return next((need for need in reversed(NEEDS) if problem(history, need) is None), "nothing")


def moment(history: History) -> Event | None:
    """Return the end of the request by which the control phase of a started service failed; None where none did."""
    verdict = problem(history)
    ends = [event for event in verdict.evidence if isinstance(event, Answer | Failure)] if verdict else []
    return ends[0] if ends else None


def log_around(history: History, end: Event) -> list[str]:
    """Return the lines that the service wrote while a request was under way, and right after it."""
    own = history.instance()
    begun = next((one.request.t for one in own.exchanges() if one.end is end), end.t)
    lines = [event.text for event in own.of(Log) if begun <= event.t <= end.t + AFTER_SECONDS]
    return lines[-LOG_LINES:]


def interrupted(history: History) -> Verdict | None:
    """Return why a history is incomplete; None where its experiment ran to its end."""
    if overran := history.first(Overran):
        return failed(
            "answers soon enough for the experiment to end",
            f"the experiment was given up after {overran.limit:.0f} s: the service kept it waiting",
            overran,
        )
    if history.of(Ended):
        return None
    return not_judged("the experiment did not run to its end")


def log_tail(history: History, lines: int = LOG_LINES) -> list[str]:
    """Return the last lines that the service wrote."""
    return [event.text for event in history.instance().of(Log)[-lines:]]


def port_taken(history: History) -> Exited | None:
    """Return the exit of a service that could not bind its port, whatever answered there instead; None if it could.

    A service can say of another address that it is in use, and go on. It then does not exit before the lab ends it, or
    one of the lab's prompts has come through it.
    """
    own = history.instance()
    exited, launched = own.of(Exited), own.of(Launched)
    if not exited or not launched or exited[-1].cause or exited[-1].t < launched[-1].t:
        return None
    since = History(event for event in own.events if event.t >= launched[-1].t)
    if any(event.t <= exited[-1].t for event in since.of(Signalled)):
        return None
    if any(call.key for call in since.of(Call)):
        return None
    return exited[-1] if any(PORT_TAKEN in event.text.lower() for event in since.of(Log)) else None


def _not_started(history: History) -> Verdict | None:
    path = history.contract.endpoints["alive"]
    expected = f"the service starts and answers GET {path} within 60 s"
    if taken := port_taken(history):
        return _not_bound(history, taken)
    if history.of(Ready):
        return None
    return _why_not_started(history, expected)


def _why_not_started(history: History, expected: str) -> Verdict:
    if skipped := history.first(Skipped):
        return failed(
            expected, f"it did not start (see '{skipped.experiment}'), and was not tried again", skipped
        )
    exited = history.first(Exited)
    if exited and exited.cause and exited.cause != "killed by the lab":
        return failed(expected, f"it was ended by the grader at start: it {exited.cause}", exited)
    if exited and exited.cause is None:
        about = f"; {_USAGE_HELP}" if exited.code == _USAGE_CODE else ""
        return failed(expected, f"it {describe_exit(exited)} before it answered{about}", exited)
    actual = (
        "it did not answer on the port that it was given, by `{port}` in its command or by the variable PORT"
    )
    return failed(expected, actual, history.first(Launched))


def _not_bound(history: History, taken: Exited) -> Verdict:
    if len(history.of(Launched)) >= START_TRIES:
        return failed(
            "the service listens on the port that it is given",
            f"an address was in use at {START_TRIES} starts, each with another port that was free:"
            " it seems to have a port of its own",
            taken,
        )
    return not_judged(
        "another program had taken the service's port, and answered there", taken, blame="machine"
    )


def _not_logged_in(history: History) -> Verdict | None:
    login = history.contract.login
    asked = history.exchanges(LOGIN_LABEL)
    if login is None or any(exchange.status == 200 for exchange in asked):
        return None
    end = asked[-1].end if asked else None
    return _no_control(f"POST {login.path} {_describe(history, end)}", end)


def _not_answered(history: History) -> Verdict | None:
    contract = history.contract
    if contract.ask is None:
        return None
    exchange = history.exchanges(LABEL)[-1] if history.exchanges(LABEL) else None
    if exchange is None:
        return not_judged("the control phase was cut short")
    end, key = exchange.end, exchange.request.key or ""
    if not isinstance(end, Answer) or end.status != 200:
        return _no_control(
            f"POST {contract.ask.path} {_describe(history, end)}{_asked_elsewhere(history, key)}", end
        )
    if not history.calls(key=key):
        variable = contract.upstreams[contract.model].variable
        return _no_control(
            f"POST {contract.ask.path} answered, but the model at {variable} was never called", end
        )
    if answer_code(key) not in end.body:
        return _no_control(f"POST {contract.ask.path} answered 200, but not with the model's answer", end)
    return None


def _asked_elsewhere(history: History, key: str) -> str:
    """Say at which path the service asked the model that the model's stand-in does not have; empty if at none."""
    replies = {reply.call: reply for reply in history.of(Reply)}
    paths = [
        call.path
        for call in history.of(Call)
        if call.key == key and not call.counted and call.call in replies and replies[call.call].status == 404
    ]
    return f"; it sent the prompt to {excerpt(paths[0], 60)}, which the model does not have" if paths else ""


def _no_control(reason: str, event: Event | None) -> Verdict:
    return not_judged(reason, event, blame="submission")


def _describe(history: History, end: Event | None) -> str:
    if isinstance(end, Answer):
        instead = " instead of 200" if 200 < end.status < 300 else ""
        return f"answered {end.status}{instead} with nothing broken"
    own = history.instance()
    launched = max((one.t for one in own.of(Launched)), default=0.0)
    exited = [one for one in own.of(Exited) if end is not None and launched <= one.t <= end.t]
    because = f", because the service {describe_exit(exited[-1])}" if exited else ""
    return f"got no answer with nothing broken{because}"
