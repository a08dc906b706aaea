"""Pauses between the calls that one request causes, and whether they grow."""

from collections.abc import Sequence
from itertools import pairwise
from statistics import fmean

GROWTH = 1.1
"""The mean of a pause is so many times that of the one before, at least: chance does not make it so over all requests."""


def pauses(times: Sequence[float]) -> list[float]:
    """Return the seconds between calls that came at these moments."""
    return [later - earlier for earlier, later in pairwise(sorted(times))]


def grow(measured: Sequence[Sequence[float]], least: float) -> str:
    """Say what is wrong with the pauses of several requests; an empty string where they grow, from `least` seconds on.

    Each position is compared by its mean over all requests that came so far: jitter may make one pause shorter.
    """
    first = [one[0] for one in measured if one]
    if not first:
        return "there were no pauses"
    if fmean(first) < least:
        return f"the first pause is {fmean(first):.2f} s on average"
    longest = max(map(len, measured))
    for position in range(1, longest):
        both = [(one[position - 1], one[position]) for one in measured if len(one) > position]
        before, after = (fmean(pair[side] for pair in both) for side in (0, 1))
        if after < GROWTH * before:
            return f"pause {position + 1} is {after:.2f} s on average, after one of {before:.2f} s"
    return ""
