"""Judges histograms of latency by what is known of each request: how long it took at least, and at most."""

from collections import defaultdict
from dataclasses import dataclass

from chaos.history import Exchange, History
from exercises.project61.part3_monitoring.axes import HELD, LEAST_SECONDS
from exercises.project61.part3_monitoring.counted import WORK, worked
from exercises.project61.part3_monitoring.scrape import Scrape, growth, read, scrapes
from lab.timing import stalled
from lab.verdict import Verdict, failed, passed

FAST_SECONDS = 0.3
SLACK_SECONDS = 0.25
"""A service may see the end of an answer this much later than the caller."""
ROUNDING_SECONDS = 0.02
_MILLISECONDS = ("_ms", "_milliseconds", "_millis")


@dataclass(frozen=True, slots=True)
class Histogram:
    """How a histogram has grown: observations in all, and those above each of its bounds, in seconds."""

    name: str
    count: float
    above: dict[float, float]


def latency_is_measured(traffic: History) -> Verdict:
    work = worked(traffic)
    answered = sum(one.status == 200 for one in work)
    expected = f"a histogram with {answered} to {len(work)} new observations, as slow as the requests were"
    [first] = scrapes(traffic, "before")
    later = scrapes(traffic, "after")
    reasons: list[str] = []
    for position, scraped in enumerate(later, start=1):
        try:
            found = _histograms(read(first.end), read(scraped.end))
        except ValueError as error:
            return failed(expected, str(error), scraped.end)
        fitting = [one for one in found if answered <= one.count <= len(work) + position + 1]
        reasons = [_misfit(traffic, work, one, position + 1) for one in fitting]
        for one, reason in zip(fitting, reasons, strict=True):
            if not reason:
                return passed(
                    f"{one.name} has {one.count:.0f} new observations, as slow as measured", scraped.end
                )
    return failed(expected, min(reasons, key=_of_requests, default="there is none"), later[-1].end)


def _of_requests(reason: str) -> bool:
    """Put what is named after requests first."""
    return "request" not in reason.partition(" ")[0]


def _misfit(traffic: History, work: list[Exchange], one: Histogram, scrapes_between: int) -> str:
    """Say where a histogram does not fit what was measured; empty if it does."""
    if not any(FAST_SECONDS <= bound < min(LEAST_SECONDS.values()) for bound in one.above):
        return f"{one.name} has no bound between {FAST_SECONDS:g} and {min(LEAST_SECONDS.values()):g} s"
    begun, ended = work[0].request.t, max(each.end.t for each in work if each.end)
    slack = SLACK_SECONDS + stalled(traffic, begun, ended)
    for bound, above in sorted(one.above.items()):
        least = sum(_least(each) - ROUNDING_SECONDS > bound for each in work if each.status == 200)
        most = sum(each.end is None or each.end.elapsed + slack > bound for each in work)
        if above < least:
            missing = f"{one.name} has {above:.0f} observations above {bound:g} s, where {least} requests took longer"
            return f"{missing} (streams among them: {HELD})" if bound >= FAST_SECONDS else missing
        if above > most + scrapes_between:
            return (
                f"{one.name} has {above:.0f} observations above {bound:g} s, where {most} requests may have"
            )
    return ""


def _least(asked: Exchange) -> float:
    return LEAST_SECONDS.get(asked.request.label.removeprefix(WORK), 0.0)


def _histograms(before: Scrape, after: Scrape) -> list[Histogram]:
    """Return every histogram that has grown, over all of its labels."""
    totals: dict[str, float] = defaultdict(float)
    below: dict[str, dict[float, float]] = defaultdict(lambda: defaultdict(float))
    for one in growth(before, after):
        if after.families[one.family].type != "histogram":
            continue
        if one.series.name.endswith("_count"):
            totals[one.family] += one.by
        elif one.series.name.endswith("_bucket"):
            below[one.family][_bound(one.family, one.series.by_name.get("le", ""))] += one.by
    bounds = _bounds(after)
    return [
        Histogram(name, count, {bound: count - below[name][bound] for bound in bounds[name]})
        for name, count in totals.items()
    ]


def _bounds(scraped: Scrape) -> dict[str, set[float]]:
    found: dict[str, set[float]] = defaultdict(set)
    for series, (family, _) in scraped.samples.items():
        if series.name.endswith("_bucket"):
            bound = _bound(family, series.by_name.get("le", ""))
            if bound < float("inf"):
                found[family].add(bound)
    return found


def _bound(family: str, text: str) -> float:
    """Return a bucket's bound in seconds; infinity for what is no number."""
    try:
        bound = float(text)
    except ValueError:
        return float("inf")
    return bound / 1000 if family.endswith(_MILLISECONDS) else bound
