"""Judges that a stream tells of a backend that breaks it."""

from typing import Any

from chaos.history import Answer, Failure, History
from exercises.project61.part1_functionality.axes import BREAKS, SILENCE
from exercises.project61.part1_functionality.experiments import SILENCE_SECONDS
from exercises.project61.part1_functionality.results import at
from lab.event_stream import DONE, events
from lab.reading import as_json, excerpt, outcome
from lab.timing import disturbance, too_busy
from lab.verdict import Verdict, all_of, failed, in_short, passed


def broken_streams_are_told(streams: History) -> Verdict:
    verdict = all_of(_judge(streams, name) for name in BREAKS.values)
    return in_short(verdict, f"{len(BREAKS.values)} breaks are told in the stream")


def _judge(streams: History, name: str) -> Verdict:
    [asked] = streams.exchanges(f"broken: {name}")
    end = asked.end
    limit = f" within {SILENCE_SECONDS:.0f} s" if name == SILENCE else ""
    expected = f"an event with an error{limit}, and no [DONE] after it ({name})"
    if isinstance(end, Failure) and end.error == "timeout" and disturbance(streams, asked):
        return too_busy("time the end of the stream", end)
    if not isinstance(end, Answer):
        return failed(expected, outcome(end), end)
    if end.status != 200:
        return failed(f"a stream that begins before it breaks ({name})", outcome(end), end)
    found = events(end.body)
    errors = [place for place, event in enumerate(found) if _is_error(as_json(event))]
    if not errors:
        return failed(expected, f"the last event is {excerpt(found[-1] if found else 'missing', 80)}", end)
    if DONE in found[errors[0] :]:
        return failed(expected, "[DONE] follows the error", end)
    return passed(name, end)


def _is_error(event: Any) -> bool:
    return bool(at(event, "error"))
