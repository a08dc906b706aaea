"""Whether the control phase of a history holds: the service starts, works, and its traffic is seen upstream.

Without it no fault can be judged: an answer that never came before the fault says nothing about the fault.
"""

from chaos.history import Answer, Ended, Event, Exited, HarnessFault, History, Launched, Log, Ready, Skipped
from chaos.keys import answer_code
from lab.verdict import Verdict, failed, not_judged

LABEL = "control"
LOGIN_LABEL = "login"
LOG_LINES = 15
START_TRIES = 3
"""How often a service is started that could not bind its port, each time with another one."""
PORT_TAKEN = "address already in use"
"""What a server says, among other words, that cannot bind its port."""


def problem(history: History) -> Verdict | None:
    """Return why nothing can be judged on this history; None where the control phase holds."""
    if fault := history.first(HarnessFault):
        return not_judged(fault.reason, fault)
    history = history.instance()
    if taken := _port_taken(history):
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
    if not history.of(Ready):
        return _not_started(history)
    login = history.exchanges(LOGIN_LABEL)
    if not any(exchange.status == 200 for exchange in login):
        end: Event | None = login[-1].end if login else None
        return _no_control(f"POST /auth/login {_describe(end)} with nothing broken", end)
    return _not_answered(history)


def interrupted(history: History) -> Verdict | None:
    """Return why a history is incomplete; None where its experiment ran to its end."""
    if history.of(Ended):
        return None
    return not_judged("the experiment did not run to its end")


def log_tail(history: History, lines: int = LOG_LINES) -> list[str]:
    """Return the last lines that the service wrote."""
    return [event.text for event in history.instance().of(Log)[-lines:]]


def _port_taken(history: History) -> Exited | None:
    """Return the exit of a service that could not bind its port, whatever answered there instead."""
    exited = history.of(Exited)
    launched = history.of(Launched)
    if not exited or not launched or exited[-1].cause or exited[-1].t < launched[-1].t:
        return None
    lines = (event.text.lower() for event in history.of(Log) if event.t >= launched[-1].t)
    return exited[-1] if any(PORT_TAKEN in line for line in lines) else None


def _not_started(history: History) -> Verdict:
    expected = "the service starts and answers GET /health within 60 s"
    if skipped := history.first(Skipped):
        return failed(
            expected, f"it did not start (see '{skipped.experiment}'), and was not tried again", skipped
        )
    exited = history.first(Exited)
    if exited and exited.cause and exited.cause != "killed by the lab":
        return failed(expected, f"it was ended by the grader at start: it {exited.cause}", exited)
    if exited and exited.cause is None:
        return failed(expected, f"it exited with code {exited.code} before it answered", exited)
    return failed(expected, "it did not answer on the port that it was given", history.first(Launched))


def _not_answered(history: History) -> Verdict | None:
    exchange = history.exchanges(LABEL)[-1] if history.exchanges(LABEL) else None
    if exchange is None:
        return not_judged("the control phase was cut short")
    end, key = exchange.end, exchange.request.key or ""
    if not isinstance(end, Answer) or end.status != 200:
        return _no_control(f"POST /llm/generate {_describe(end)} with nothing broken", end)
    if not history.calls("litellm", key=key):
        return _no_control("POST /llm/generate answered, but the model at LITELLM_URL was never called", end)
    if answer_code(key) not in end.body:
        return _no_control("POST /llm/generate answered 200, but not with the model's answer", end)
    return None


def _no_control(reason: str, event: Event | None) -> Verdict:
    return not_judged(reason, event, blame="submission")


def _describe(end: Event | None) -> str:
    if isinstance(end, Answer):
        return f"answered {end.status}"
    return "got no answer"
