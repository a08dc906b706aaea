"""Judges that strangers make no new series."""

from chaos.history import History
from exercises.project61.part3_monitoring.axes import STRANGERS
from exercises.project61.part3_monitoring.scrape import read, scrapes
from lab.reading import excerpt
from lab.verdict import Verdict, failed, passed

MOST_NEW = 40
"""A status that was not there before may make a few series, with a histogram's buckets."""


def labels_are_bounded(traffic: History) -> Verdict:
    [first], [last] = scrapes(traffic, "before strangers"), scrapes(traffic, "after strangers")
    kinds = ", ".join(f"{count} {kind}" for kind, count in STRANGERS.values.items())
    expected = f"no new series for unknown {kinds}"
    sent = sum(len(traffic.exchanges(f"stranger: {kind}")) for kind in STRANGERS.values)
    try:
        before, after = read(first.end), read(last.end)
    except ValueError as error:
        return failed(expected, str(error), last.end)
    new = [
        series
        for series in after.samples
        if series not in before.samples and not series.name.endswith("_created")
    ]
    if len(new) > MOST_NEW:
        series = new[len(new) // 2]
        shown = excerpt(f"{series.name}{series.by_name}", 120)
        return failed(expected, f"{len(new)} new ones, such as {shown}", last.end)
    return passed(f"{len(after.samples)} series after {sent} strangers, {len(new)} of them new", last.end)
