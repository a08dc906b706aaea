"""Whether the pauses between a service's attempts are a backoff of about 1, 2 and 4 seconds, with jitter.

One pause says little: under full jitter it is drawn from 0 to its cap. So the pauses of many requests are judged
together, each as a share of its cap. The limits hold for full, equal, added, proportional and decorrelated jitter in
all but one of ten thousand runs, and not for constant, halved, doubled or bare pauses.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import fmean, pstdev

from chaos.history import Call, History, UpstreamCall
from lab.timing import blur

CAPS = (1.0, 2.0, 4.0)
LONGEST = (3.0, 5.0, 8.0)
"""What no pause exceeds: decorrelated jitter draws its first from 1 to 3 seconds."""
TOLERANCE = 1.0
"""What a busy machine may add between the end of an attempt and the arrival of the next."""
LEAST_REACH = 0.75
"""The share of their caps that the longest pauses come to: 1 for full and equal jitter, 0.5 for half of the pauses."""
DOUBT = 150.0
"""How far beyond the reach of n pauses their range may end, in standard errors times n: under full jitter in all but one
of a hundred thousand times."""
REACH_SAMPLES = 12
"""How many pauses tell of their reach and spread."""
MOST_SHARE = 1.75
"""The share of their caps that the pauses come to on average: 1.4 for decorrelated jitter, 2 for twice the pauses."""
CHANCE = 3.0
"""By how many standard errors an average may be off."""
GROWTH = {2: 1.1, 3: 1.25}
"""How much longer the longest of the later pauses are than the longest of the first ones, with one retry more or two."""
GROWTH_SAMPLES = 12
"""How many pauses tell of growth: of fewer, the later ones may all be short by chance."""
LEAST_JITTER = 0.05
"""The share of their caps by which pauses differ."""
RISK = 1e-6
"""The probability of too many small draws in a row under full jitter, below which they are no chance."""
JITTER_SAMPLES = 4
"""How many pauses tell of jitter."""


@dataclass(frozen=True, slots=True)
class Pause:
    """The time from the end of one attempt to the next attempt of the same request.

    It may be off by `blur` seconds, for the lab itself stood still meanwhile.
    """

    seconds: float
    number: int
    call: Call
    blur: float = 0.0

    @property
    def share(self) -> float:
        """The pause as a share of its cap."""
        return self.seconds / CAPS[min(self.number, len(CAPS) - 1)]


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


def find_fault(every: Sequence[Pause]) -> Fault | None:
    """Return the first thing wrong with the pauses of several requests; None for a fair backoff."""
    for pause in every:
        if pause.seconds > LONGEST[min(pause.number, len(LONGEST) - 1)] + TOLERANCE:
            return Fault(f"pause {pause.number + 1} took {pause.seconds:.1f} s", pause.call)
    places = _by_place(every)
    for wrong, what in (
        (_are_short(every), "the pauses are too short"),
        (_are_long(places), "the pauses are too long"),
        (not _grow(places), "the pauses do not grow"),
        (any(map(_are_short, places)), "pauses are too short"),
        (not _vary(places), "the pauses have no jitter"),
    ):
        if wrong:
            return Fault(f"{what}: {describe(every)}", every[-1].call)
    return None


def is_certain(every: Sequence[Pause]) -> bool:
    """Whether the pauses are judged the same, however their blur has fallen: the first ones shorter and the later ones longer, or the other way round."""
    judged = (every, _shifted(every, 1), _shifted(every, -1))
    return len({find_fault(one) is None for one in judged}) == 1


def describe(every: Sequence[Pause]) -> str:
    """Say how long the pauses at each place were: `1st 0.52 to 0.98 s (12)`."""
    return ", ".join(
        f"{name} {min(seconds):.2f} to {max(seconds):.2f} s ({len(seconds)} times)"
        for name, place in zip(("1st", "2nd", "3rd"), _by_place(every), strict=False)
        if (seconds := [pause.seconds for pause in place])
    )


def _by_place(every: Sequence[Pause]) -> list[list[Pause]]:
    """Return the pauses before the first retry, the second and the third, as far as there are any."""
    places = [[pause for pause in every if pause.number == number] for number in range(len(CAPS))]
    return [place for place in places if place]


def _are_short(every: Sequence[Pause]) -> bool:
    """Whether the range that pauses are drawn from ends too early, supposed that it is drawn from evenly.

    The less pauses differ, the surer is where their range ends. Of few pauses, all may be short by chance.
    """
    shares = [pause.share for pause in every]
    if len(shares) < REACH_SAMPLES:
        return max(shares) < float(RISK ** (1 / len(shares)))
    spread = pstdev(shares)
    doubt = DOUBT / len(shares) * spread / math.sqrt(len(shares))
    return bool(fmean(shares) + math.sqrt(3) * spread + doubt < LEAST_REACH)


def _are_long(places: Sequence[Sequence[Pause]]) -> bool:
    """Whether the pauses are too long on average, beyond what chance makes of so few."""
    shares = [[pause.share for pause in place] for place in places]
    doubt = math.sqrt(sum(pstdev(place) ** 2 / len(place) for place in shares)) / len(shares)
    return fmean(map(fmean, shares)) - CHANCE * doubt > MOST_SHARE


def _grow(places: Sequence[Sequence[Pause]]) -> bool:
    first, later = places[0], [pause for place in places[1:] for pause in place]
    if min(len(first), len(later)) < GROWTH_SAMPLES:
        return True
    # Of three places there are enough pauses to leave out the longest, which may be a busy machine's.
    position = -2 if len(places) == len(CAPS) else -1
    return _sorted(later)[position] >= GROWTH[len(places)] * _sorted(first)[position]


def _vary(places: Sequence[Sequence[Pause]]) -> bool:
    telling = [sorted(pause.share for pause in place) for place in places if len(place) >= JITTER_SAMPLES]
    return not telling or any(shares[-2] - shares[0] >= LEAST_JITTER for shares in telling)


def _sorted(place: Sequence[Pause]) -> list[float]:
    return sorted(pause.seconds for pause in place)


def _shifted(every: Sequence[Pause], direction: int) -> list[Pause]:
    return [_moved(pause, direction if pause.number else -direction) for pause in every]


def _moved(pause: Pause, direction: int) -> Pause:
    return replace(pause, seconds=max(0.0, pause.seconds + direction * pause.blur))


def _pause(history: History, number: int, earlier: UpstreamCall, later: Call) -> Pause:
    ended = earlier.reply.t if earlier.reply else earlier.call.t
    return Pause(round(later.t - ended, 3), number, later, blur(history, ended, later.t))
