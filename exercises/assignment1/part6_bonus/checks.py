"""The checks of part 6, the bonus."""

import re

from chaos.history import Answer, Exchange, File, History, OwnTests, Part, Socket
from chaos.keys import expected_answer
from exercises.assignment1 import faults, plan
from exercises.assignment1.part6_bonus.events import text_of
from lab.event_stream import DONE, Event, events, typed_events
from lab.own_tests import Suite, tampering
from lab.reading import excerpt, outcome
from lab.timing import too_busy, undisturbed_between
from lab.verdict import Verdict, failed, passed

LEAST_NOTICED = 4
_NO_ERROR = re.compile(r'"error"\s*:\s*(?:null|false|"")')


def streams_as_it_comes(streams: History) -> Verdict:
    held = [one for label in plan.HELD_STREAMS for one in streams.exchanges(label)]
    for one in held:
        if fault := _not_as_it_comes(streams, one) or _not_whole(one):
            return fault
    return passed(f"{len(held)} streams came as their providers sent them", held[0].end)


def tells_of_breaks(streams: History) -> Verdict:
    for label in plan.BROKEN_STREAMS:
        [one] = streams.exchanges(label)
        expected = f"an event with an error, and no [DONE] after it ({label})"
        if not isinstance(one.end, Answer) or one.end.status != 200:
            return failed(expected, outcome(one.end), one.end)
        found = typed_events(one.end.body)
        errors = [number for number, event in enumerate(found) if _is_error(event)]
        if not errors:
            told = excerpt(found[-1].data if found else "missing", 80)
            return failed(expected, f"the last event is {told}", one.end)
        if any(event.data == DONE for event in found[errors[0] :]):
            return failed(expected, "[DONE] follows the error", one.end)
    return passed("breaks in the middle are reported in the stream", streams.exchanges("cut off")[0].end)


def ends_with_its_caller(streams: History) -> Verdict:
    [left] = streams.exchanges("abandoned")
    closed = [event for event in streams.of(Socket) if event.label == "abandoned" and event.state == "closed"]
    made = streams.calls(key=left.request.key)
    expected = f"the call to the provider ends within {plan.LEAVE_SECONDS:.0f} s after the caller leaves"
    if not closed or not made or not any(part.request == left.request.request for part in streams.of(Part)):
        return failed(expected, "there was no stream that a caller could leave", left.end)
    reply = made[-1].reply
    if reply is None:
        return failed(expected, "it went on", made[-1].call, closed[0])
    seconds = reply.t - closed[0].t
    if seconds > plan.LEAVE_SECONDS:
        if undisturbed_between(streams, closed[0].t, reply.t) <= plan.LEAVE_SECONDS:
            return too_busy("time the end of the call", reply)
        return failed(expected, f"it ended after {seconds:.1f} s", reply)
    return passed(f"the call ended after {seconds:.2f} s", reply)


def tests_notice_faults(broken_tests: History) -> Verdict:
    expected = f"a suite that passes as it is, and fails for {LEAST_NOTICED} of {len(faults.FAULTS)} faults"
    runs = {event.fault: event for event in broken_tests.of(OwnTests)}
    plain = runs[""]
    if plain.problem:
        return failed(expected, plain.problem, plain)
    if changed := tampering(broken_tests.of(File)):
        return failed(expected, f"no test counts: {changed}", plain)
    suite = Suite(broken_tests, "")
    if suite.failing or not suite.passing:
        what = f"{suite.failing[0].name} fails without a fault" if suite.failing else "no test counts"
        return failed(expected, what, plain)
    noticed = [fault for fault in faults.FAULTS if Suite(broken_tests, fault).failing]
    if len(noticed) < LEAST_NOTICED:
        missed = ", ".join(fault for fault in faults.FAULTS if fault not in noticed)
        return failed(
            expected, f"it fails for {len(noticed)}; not for {missed}", runs[missed.partition(",")[0]]
        )
    return passed(f"the suite fails for {len(noticed)} of {len(faults.FAULTS)} faults", plain)


def _not_as_it_comes(streams: History, exchange: Exchange) -> Verdict | None:
    """Return what is wrong with a stream whose provider waits in the middle of its answer; None for nothing."""
    end, where = exchange.end, f" ({exchange.request.label})"
    if not isinstance(end, Answer) or end.status != 200:
        return failed(f"a stream{where}", outcome(end), end)
    content_type = end.headers.get("content-type", "")
    if not content_type.startswith("text/event-stream"):
        return failed(f"an answer of the type text/event-stream{where}", content_type or "no type", end)
    if not any(part.request == exchange.request.request for part in streams.of(Part)):
        return failed(
            f"the first words within {plan.STREAM_SECONDS:.0f} s, while the provider waits in the middle of its "
            f"answer{where}",
            "nothing came before the provider went on",
            end,
        )
    return None


def _not_whole(exchange: Exchange) -> Verdict | None:
    """Return what a stream lacks at its end; None if it is whole."""
    end, where = exchange.end, f" ({exchange.request.label})"
    found = events(end.body) if isinstance(end, Answer) else []
    if text_of(found).strip() != expected_answer(exchange.request.key or ""):
        expected = f"the provider's whole text in the events, each piece once{where}"
        return failed(expected, excerpt(text_of(found), 100) or "no text", end)
    if not found or found[-1] != DONE:
        return failed(f"data: [DONE] at the end{where}", f"{excerpt(found[-1] if found else '', 60)!r}", end)
    return None


def _is_error(event: Event) -> bool:
    return event.kind == "error" or '"error"' in _NO_ERROR.sub("", event.data)
