"""Judges what is measured beside requests: tokens, cost, requests in flight, and the breaker."""

import re
from collections import defaultdict

from chaos.history import Answer, Event, History
from exercises.project61.part3_monitoring.axes import FAILING
from exercises.project61.part3_monitoring.counted import WORK, worked
from exercises.project61.part3_monitoring.experiments import IN_FLIGHT_STREAMS, IN_FLIGHT_WHOLE
from exercises.project61.part3_monitoring.scrape import Growth, Scrape, growth, read, scrapes, sums_of
from lab.verdict import Verdict, all_of, failed, passed

_COST = re.compile(r"cost|usd|dollar|spen[dt]", re.IGNORECASE)
_BREAKER = re.compile(r"breaker|circuit", re.IGNORECASE)
_SHOWN = 3
_RUNTIME = ("process_", "python_", "nodejs_", "go_", "jvm_")
"""What the runtime counts: its files and threads may grow by as many."""


def tokens_and_cost_are_counted(traffic: History) -> Verdict:
    names = ("before", "after", "in flight", "left")
    ends = {name: scrapes(traffic, name)[-1].end for name in names if scrapes(traffic, name)}
    try:
        read_scrapes = {name: read(end) for name, end in ends.items()}
    except ValueError as error:
        return failed("metrics that can be read at any time", str(error), *ends.values())
    found = list(growth(read_scrapes["before"], read_scrapes["after"]))
    return all_of(
        [
            _tokens(traffic, found, ends["after"]),
            _cost(found, ends["after"]),
            _in_flight(read_scrapes, ends["in flight"]),
            _breaker(traffic, read_scrapes["left"]),
        ]
    )


def _tokens(traffic: History, found: list[Growth], event: Event | None) -> Verdict:
    used = _reported(traffic)
    for model, kinds in used.items():
        sums = sums_of(filter(_counts_tokens, found), model)
        for kind, count in zip(("prompt", "completion"), kinds, strict=True):
            if count not in sums:
                expected = f"a counter of tokens that grows by {count} for the {kind} tokens of {model}"
                told = ", ".join(f"{one:.0f}" for one in sorted(sums))
                return failed(
                    expected, f"those of {model} grew by {told}" if sums else "none has the model", event
                )
    return passed(f"tokens of {len(used)} models are counted by kind", event)


def _reported(traffic: History) -> dict[str, tuple[int, int]]:
    """Return the tokens that the backend has reported for answered requests, by model.

    A malformed answer, which may be passed on as it is, breaks off before its usage.
    """
    malformed = f"{WORK}{FAILING}"
    keys = {
        one.request.key for one in worked(traffic) if one.status == 200 and one.request.label != malformed
    }
    used: dict[str, tuple[int, int]] = {}
    for call in traffic.calls():
        if call.call.key in keys and call.reply and call.reply.usage and call.call.model:
            before = used.get(call.call.model, (0, 0))
            used[call.call.model] = (before[0] + call.reply.usage[0], before[1] + call.reply.usage[1])
    return used


def _counts_tokens(one: Growth) -> bool:
    name = one.series.name
    return "token" in name.lower() and not name.endswith(("_bucket", "_count"))


def _cost(found: list[Growth], event: Event | None) -> Verdict:
    for one in found:
        if _COST.search(one.series.name) and not one.series.name.endswith(("_bucket", "_count")):
            return passed("cost grows", event)
    return failed("a counter of cost in dollars that grows with answers", "none did", event)


def _in_flight(found: dict[str, Scrape], event: Event | None) -> Verdict:
    hanging = IN_FLIGHT_WHOLE + IN_FLIGHT_STREAMS
    before, during, later = (_gauges(found[name]) for name in ("after", "in flight", "left"))
    risen = {name: by for name, value in during.items() if (by := value - before.get(name, 0)) > 0}
    stuck = ""
    for name, by in risen.items():
        if by == hanging and later.get(name) == before.get(name, 0):
            return passed(f"{name} rose by {hanging} and fell again", event)
        if by == hanging:
            stuck = f"{name} is {later.get(name, 0):g} after all of them have ended"
    rose = ", ".join(f"{name} by {by:g}" for name, by in list(risen.items())[:_SHOWN])
    expected = f"a gauge that rises by {hanging} while {hanging} requests hang, and falls again"
    return failed(expected, stuck or f"rose: {rose or 'none'}", event)


def _breaker(traffic: History, earlier: Scrape) -> Verdict:
    expected = "a gauge with 'breaker' or 'circuit' in its name that changes while the backend is gone"
    closed, opened = scrapes(traffic, "closed")[-1].end, scrapes(traffic, "open")[-1].end
    if isinstance(opened, Answer) and opened.cut:
        # Strangers have made it too long to be read: that is another criterion's.
        before, after = _breaker_gauges(earlier), {}
    else:
        try:
            before, after = _breaker_gauges(read(closed)), _breaker_gauges(read(opened))
        except ValueError as error:
            return failed(expected, str(error), opened)
    if not before and not after:
        return failed(expected, "there is none", opened)
    if before == after:
        asked = len(traffic.exchanges("no backend"))
        return failed(expected, f"it is the same after {asked} requests without a backend", opened)
    return passed("the breaker's state is a gauge", opened)


def _breaker_gauges(scraped: Scrape) -> dict[object, float]:
    return {
        series: value
        for series, (_, value) in scraped.samples.items()
        if _BREAKER.search(series.name)
        and scraped.type_of(series) == "gauge"
        and not series.name.endswith("_created")
    }


def _gauges(scraped: Scrape) -> dict[str, float]:
    """Return the sum of each gauge over its labels."""
    sums: dict[str, float] = defaultdict(float)
    for series, (_, value) in scraped.samples.items():
        if scraped.type_of(series) == "gauge" and not series.name.startswith(_RUNTIME):
            sums[series.name] += value
    return sums
