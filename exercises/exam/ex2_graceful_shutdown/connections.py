"""Reads from a history how the service's connections to its upstreams ended."""

from chaos.history import Call, Connection, Exited, Fault, History, Reply
from exercises.exam.ex2_graceful_shutdown.times import LET_GO_SECONDS
from lab.verdict import Verdict, failed, passed

REST_SECONDS = 0.5


def let_go(history: History, exited: Exited, expected: str) -> Verdict:
    """Judge that every connection to an upstream that works has ended, and none at rest by a reset."""
    broken = {fault.upstream for fault in history.of(Fault) if fault.on}
    events = [event for event in history.of(Connection) if event.upstream not in broken]
    ends: dict[tuple[str, int], Connection] = {}
    for event in events:
        if event.state != "opened":
            ends.setdefault((event.upstream, event.connection), event)
    opened = [event for event in events if event.state == "opened"]
    for event in opened:
        end = ends.get((event.upstream, event.connection))
        if end is None or end.t > exited.t + LET_GO_SECONDS:
            return failed(expected, f"one to {event.upstream} was left open", event, exited)
        if end.state == "reset" and _at_rest(history, end):
            return failed(expected, f"one to {event.upstream} was reset", end, exited)
    names = ", ".join(sorted({event.upstream for event in opened})) or "no upstream"
    return passed(f"none left of {len(opened)} to {names}", *opened[-1:])


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
