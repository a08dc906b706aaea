"""Whether the pauses between a service's attempts are a backoff of about 1 s, 2 s and 4 s.

Any jitter is allowed, so one pause says little: under full jitter, a pause drawn from 0 to its cap, a single one
can be near 0 or shorter than the one before. What is judged holds for every honest design in all but about one in
twenty thousand runs of four requests, and fails for constant pauses and for none.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from chaos.history import Call, History, UpstreamCall
from lab.timing import blur

CAPS = (1.0, 2.0, 4.0)
JITTER_ABOVE = 1.0
"""Some designs add up to a second on top of the cap."""
TOLERANCE = 1.0
"""What a busy machine may add between the end of an attempt and the arrival of the next."""
LEAST_SHARE = 0.1
"""All pauses together reach at least this share of their caps; full jitter reaches half of it on average."""
CONSTANT_SPREAD = 1.15
GROWTH = 1.3
SAMPLES_FOR_CONSTANT = 6
SAMPLES_FOR_GROWTH = 4


@dataclass(frozen=True, slots=True)
class Pause:
    """The time from the end of one attempt to the next attempt of the same request.

    It may be off by `blur` seconds, for the lab itself stood still meanwhile.
    """

    seconds: float
    number: int
    call: Call
    blur: float = 0.0


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with the pauses, and the attempt that shows it."""

    description: str
    call: Call


def pauses(history: History, key: str) -> list[Pause]:
    """Return the pauses between the attempts for one prompt, in order."""
    calls = history.calls(key=key)
    return [
        _pause(history, number, earlier, later.call)
        for number, (earlier, later) in enumerate(pairwise(calls))
    ]


def find_fault(requests: Sequence[Sequence[Pause]]) -> Fault | None:
    """Return the first thing wrong with the pauses of several requests; None for a fair backoff."""
    every = [pause for request in requests for pause in request]
    for pause in every:
        if pause.number < len(CAPS) and pause.seconds > CAPS[pause.number] + JITTER_ABOVE + TOLERANCE:
            return Fault(f"pause {pause.number + 1} took {pause.seconds:.1f} s", pause.call)
    caps = sum(CAPS[min(pause.number, len(CAPS) - 1)] for pause in every)
    total = sum(pause.seconds for pause in every)
    if total < LEAST_SHARE * caps:
        return Fault(f"no backoff: {_listed(every)}", every[0].call)
    if _constant(every) or not _growing(requests):
        return Fault(f"the pauses do not grow: {_listed(every)}", every[-1].call)
    return None


def is_certain(requests: Sequence[Sequence[Pause]]) -> bool:
    """Whether the pauses are judged the same, however their blur has fallen: the first ones shorter and the later ones longer, or the other way round."""
    favoured, disfavoured = _shifted(requests, 1), _shifted(requests, -1)
    return len({find_fault(one) is None for one in (requests, favoured, disfavoured)}) == 1


def _shifted(requests: Sequence[Sequence[Pause]], direction: int) -> list[list[Pause]]:
    return [
        [_moved(pause, direction if pause.number else -direction) for pause in request]
        for request in requests
    ]


def _moved(pause: Pause, direction: int) -> Pause:
    return replace(pause, seconds=max(0.0, pause.seconds + direction * pause.blur))


def _pause(history: History, number: int, earlier: UpstreamCall, later: Call) -> Pause:
    ended = earlier.reply.t if earlier.reply else earlier.call.t
    return Pause(round(later.t - ended, 3), number, later, blur(history, ended, later.t))


def _constant(every: Sequence[Pause]) -> bool:
    seconds = [pause.seconds for pause in every]
    return len(seconds) >= SAMPLES_FOR_CONSTANT and max(seconds) <= CONSTANT_SPREAD * min(seconds)


def _growing(requests: Sequence[Sequence[Pause]]) -> bool:
    telling = [request for request in requests if len(request) >= len(CAPS)]
    if len(telling) < SAMPLES_FOR_GROWTH:
        return True
    return any(max(later.seconds for later in rest) > GROWTH * first.seconds for first, *rest in telling)


def _listed(every: Sequence[Pause]) -> str:
    return ", ".join(f"{pause.seconds:.2f}" for pause in every) + " s"
