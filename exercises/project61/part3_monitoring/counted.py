"""Judges counters of requests and errors by how much they grew around known traffic."""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence

from chaos.history import Exchange, History
from exercises.project61.part3_monitoring.scrape import Growth, growth, read, scrapes
from lab.verdict import Verdict, failed, passed

WORK = "work: "
_ERROR_NAME = re.compile(r"err|fail|exception", re.IGNORECASE)
_CLIENT_ERROR = re.compile(r"4(\d\d|xx)|client_?error", re.IGNORECASE)
_SERVER_ERROR = re.compile(r"5(\d\d|xx)|server_?error", re.IGNORECASE)
_SHOWN = 3


def requests_are_counted(traffic: History) -> Verdict:
    work = worked(traffic)
    refused = sum(400 <= (one.status or 0) < 500 for one in work)
    broken = sum((one.status or 0) >= 500 for one in work)
    unanswered = sum(one.status is None for one in work)
    expected = f"a counter that grows by {len(work)} with as many requests"
    found: list[Growth] = []
    [first] = scrapes(traffic, "before")
    later = scrapes(traffic, "after")
    for position, scraped in enumerate(later, start=1):
        try:
            found = list(growth(read(first.end), read(scraped.end)))
        except ValueError as error:
            return failed(expected, str(error), scraped.end)
        # The scrape before may be counted, those in between, and this one.
        totals = counts(found)
        right = [
            name
            for name, total in totals.items()
            if len(work) - unanswered <= total <= len(work) + position + 1
        ]
        told = [name for name in totals if _tells(found, name, refused, broken)]
        if not (told or broken):
            told = _telling_of_the_outage(traffic)
        if right and told:
            actual = f"{right[0]} grew by {totals[right[0]]:.0f}; {told[0]} has {refused + broken} failures among them"
            return passed(actual, scraped.end)
    if not right:
        near = [name for name in totals if "request" in name] or list(totals)
        seen = ", ".join(f"{name} by {totals[name]:.0f}" for name in near[:_SHOWN]) or "nothing"
        return failed(expected, f"what grew: {seen}", later[-1].end)
    expected = f"a counter that tells {refused} answers of 4xx and {broken} of 5xx from the rest"
    return failed(expected, f"{right[0]} and others do not", later[-1].end)


def worked(traffic: History) -> list[Exchange]:
    """Return the requests between the scrapes before and after."""
    return [one for one in traffic.exchanges() if one.request.label.startswith(WORK)]


def counts(found: Iterable[Growth]) -> dict[str, float]:
    """Return by how much each counter has grown in all; the count of a histogram is one."""
    totals: dict[str, float] = defaultdict(float)
    for one in found:
        if not one.series.name.endswith(("_bucket", "_sum")):
            totals[one.series.name] += one.by
    return totals


def _tells(found: Sequence[Growth], name: str, refused: int, broken: int) -> bool:
    """Whether a counter tells failures apart: by the values of a label, or by being one of errors."""
    own = [one for one in found if one.series.name == name]
    if _ERROR_NAME.search(name) and sum(one.by for one in own) in _failures(refused, broken):
        return True
    labels = {label for one in own for label, _ in one.series.labels}
    return any(_splits(own, label, refused, broken) for label in labels)


def _splits(own: Sequence[Growth], label: str, refused: int, broken: int) -> bool:
    sums: dict[str, float] = defaultdict(float)
    for one in own:
        sums[one.series.by_name.get(label, "")] += one.by
    seen_refused = sum(by for value, by in sums.items() if _CLIENT_ERROR.fullmatch(value))
    seen_broken = sum(by for value, by in sums.items() if _SERVER_ERROR.fullmatch(value))
    if (seen_refused, seen_broken) == (refused, broken):
        return True
    named = sum(by for value, by in sums.items() if _ERROR_NAME.search(value))
    return named in _failures(refused, broken)


def _failures(refused: int, broken: int) -> set[int]:
    """Return how many failures a counter may tell of: all, or those of the server's. None at all tells nothing."""
    return {refused + broken, broken} - {0}


def _telling_of_the_outage(traffic: History) -> list[str]:
    """Return the counters of failures that have grown without a backend: there may have been no failure before.

    A service may pass a malformed answer on as it is.
    """
    try:
        closed, opened = (read(scrapes(traffic, name)[-1].end) for name in ("closed", "open"))
    except (IndexError, ValueError):
        return []
    return [
        one.series.name
        for one in growth(closed, opened)
        if _ERROR_NAME.search(one.series.name)
        or any(_SERVER_ERROR.fullmatch(value) or _ERROR_NAME.search(value) for _, value in one.series.labels)
    ]
