"""Judges the format of /metrics."""

from chaos.history import Exchange, History
from exercises.project61.part3_monitoring.scrape import LABEL, read
from lab.verdict import Verdict, all_of, failed, passed

_SHOWN = 3


def metrics_parse(traffic: History) -> Verdict:
    scraped = [one for one in traffic.exchanges() if one.request.label.startswith(LABEL)]
    return all_of([_judge(one) for one in scraped[:2]])


def _judge(scraped: Exchange) -> Verdict:
    expected = "metrics in Prometheus's text format, each with its TYPE and HELP, and no sample twice"
    try:
        found = read(scraped.end)
    except ValueError as error:
        return failed(expected, str(error), scraped.end)
    if untyped := sorted(name for name, one in found.families.items() if one.type in {"unknown", "untyped"}):
        return failed(expected, f"no type for {', '.join(untyped[:_SHOWN])}", scraped.end)
    if unhelpful := sorted(name for name, one in found.families.items() if not one.documentation.strip()):
        return failed(expected, f"no help for {', '.join(unhelpful[:_SHOWN])}", scraped.end)
    return passed(f"{len(found.families)} metrics with types and help", scraped.end)
