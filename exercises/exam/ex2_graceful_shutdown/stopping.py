"""Reads from a history how a service was told to stop, and how it left.

Leaving is what the process does by itself after SIGTERM; that the lab kills what is left at its end is no exit.
"""

from chaos.history import Exited, History, Signalled
from lab.verdict import Verdict, failed, not_judged


def sigterm(history: History) -> Signalled:
    """Return the SIGTERM."""
    return next(event for event in history.instance().of(Signalled) if event.signal == "SIGTERM")


def not_told(history: History) -> Verdict | None:
    """Return why there was no service to end; None where SIGTERM met a running one."""
    signalled = next((event for event in history.instance().of(Signalled) if event.signal == "SIGTERM"), None)
    exited = history.instance().first(Exited)
    if exited and (signalled is None or exited.t < signalled.t):
        return failed("the service runs until it is told to stop", _in_words(exited), exited)
    if signalled is None:
        return not_judged("SIGTERM was never sent")
    if exited and exited.cause and exited.cause != "killed by the lab":
        return failed("the service exits on its own after SIGTERM", _in_words(exited), exited, signalled)
    return None


def exit_of(history: History) -> Exited | None:
    """Return the exit that the service made by itself."""
    killed = next((event for event in history.instance().of(Signalled) if event.signal == "SIGKILL"), None)
    exited = history.instance().first(Exited)
    if exited is None or exited.cause or (killed and killed.t <= exited.t):
        return None
    return exited


def not_gone(history: History, expected: str) -> Verdict | None:
    """Return that the service never left by itself; None where it did."""
    if exit_of(history):
        return None
    return failed(expected, f"it still ran {watched(history):.0f} s after SIGTERM", sigterm(history))


def watched(history: History) -> float:
    """Return for how many seconds after SIGTERM the lab looked on."""
    killed = next((event for event in history.instance().of(Signalled) if event.signal == "SIGKILL"), None)
    return (killed or history.events[-1]).t - sigterm(history).t


def _in_words(exited: Exited) -> str:
    return f"it {exited.cause}" if exited.cause else f"it had exited with code {exited.code} before SIGTERM"
