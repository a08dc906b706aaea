"""Judges that a caller who leaves ends the call of the backend."""

from chaos.history import History, Socket
from exercises.project61.part1_functionality.axes import ANSWERS
from exercises.project61.part1_functionality.experiments import LEAVE_SECONDS
from lab.reading import outcome
from lab.timing import too_busy, undisturbed_between
from lab.verdict import Verdict, all_of, failed, passed


def leaving_ends_the_call(streams: History) -> Verdict:
    return all_of(_judge(streams, name) for name in ANSWERS.values)


def _judge(streams: History, name: str) -> Verdict:
    label = f"left: {name}"
    [left] = streams.exchanges(label)
    expected = f"the backend's call ends within {LEAVE_SECONDS:.0f} s after the caller leaves ({name})"
    closed = [one for one in streams.of(Socket) if one.label == label and one.state == "closed"]
    calls = streams.calls(key=left.request.key)
    if not closed or not calls:
        return failed(expected, f"there was no call: {outcome(left.end)}", left.end)
    ongoing = [call for call in calls if call.reply is None]
    if ongoing:
        return failed(expected, "it went on", ongoing[-1].call, closed[0])
    last = max((call.reply for call in calls if call.reply), key=lambda reply: reply.t)
    if undisturbed_between(streams, closed[0].t, last.t) > LEAVE_SECONDS:
        return failed(expected, f"it ended after {last.t - closed[0].t:.1f} s", last)
    if last.t - closed[0].t > LEAVE_SECONDS:
        return too_busy("time the end of the call", last)
    return passed(f"{name}: the call ended after {max(0.0, last.t - closed[0].t):.2f} s", last)
