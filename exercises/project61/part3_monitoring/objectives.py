"""Judges dashboards and alerts: that they rest on metrics which are there, and that alerts have objectives."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from chaos.history import File, History
from exercises.project61.part3_monitoring import promql
from exercises.project61.part3_monitoring.files import Query, Rule, queries, rules
from exercises.project61.part3_monitoring.scrape import LABEL, read
from lab.reading import excerpt
from lab.verdict import Verdict, failed, passed

MADE_BY_PROMETHEUS = {"up", "ALERTS", "ALERTS_FOR_STATE"}
OTHERS = re.compile(
    r"(?:scrape|redis|pg|postgres|postgresql|node|container|kube|kubelet|machine|litellm|vllm|llamacpp|prometheus"
    r"|alertmanager|grafana|loki|promtail|tempo|otelcol|probe|nginx|traefik|envoy|haproxy|istio|pgbouncer|qdrant|mlflow"
    r"|cadvisor|go|DCGM|nvidia|valkey|minio|caddy|otel|k6|keda|argocd|apiserver|etcd|coredns|cortex|mimir|ollama|tei|te"
    r"|sglang|blackbox|certmanager)(?:_|:)"
)
"""Metrics of other exporters, which the service cannot have."""
_CONVERTS = re.compile(r"^\s*convert_classic_histograms_to_nhcb: true\b", re.MULTILINE)
_DEPTH = 5
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class _Use:
    """An expression, and where it stands."""

    place: str
    file: File
    expression: promql.Expression


def dashboards_and_alerts_rest_on_metrics(traffic: History) -> Verdict:
    expected = "a dashboard and alert rules, whose expressions parse and use metrics that /metrics has"
    try:
        shown, ruled = queries(traffic), rules(traffic)
        uses = [*map(_of_query, shown), *map(_of_rule, ruled)]
    except ValueError as error:
        return failed(expected, str(error))
    if not any(query.is_of_panel for query in shown):
        return failed(expected, "there is no dashboard with an expression")
    if not any(rule.alert for rule in ruled):
        return failed(expected, "there are no alert rules")
    own = _known(traffic) | {rule.record for rule in ruled}
    known = own | MADE_BY_PROMETHEUS
    missing = {
        name: use
        for use in uses
        for name in sorted(use.expression.metrics)
        if name not in known and not OTHERS.match(name)
    }
    if missing:
        told = "; ".join(f"{name} ({use.place})" for name, use in list(missing.items())[:_SHOWN])
        return failed(expected, f"/metrics does not have {excerpt(told)}", next(iter(missing.values())).file)
    of_panels = (use for query, use in zip(shown, uses, strict=False) if query.is_of_panel)
    asked = {name for use in of_panels for name in use.expression.metrics}
    if asked and not asked & own:
        return failed(expected, "no dashboard has a metric of the service, but only of others", shown[0].file)
    names = {name for use in uses for name in use.expression.metrics}
    return passed(f"{len(uses)} expressions use {len(names)} metrics, all of them there", shown[0].file)


def alerts_have_an_objective(monitoring_files: History) -> Verdict:
    expected = "an alert on the share of errors and one on latency, each with `for` and a label severity"
    try:
        ruled = rules(monitoring_files)
    except ValueError as error:
        return failed(expected, f"a rule cannot be read: {error}")
    read_rules = dict(_that_parse(ruled))
    broken = [rule for rule in ruled if rule not in read_rules]
    recorded = {rule.record: one for rule, one in read_rules.items() if rule.record}
    made = {rule: _expanded(one, recorded) for rule, one in read_rules.items() if rule.alert}
    whole = {rule for rule in made if _lasts(rule) and rule.severity}
    kinds: Mapping[str, Callable[[promql.Expression], bool]] = {
        "the share of errors": lambda one: one.divides and one.selects_errors,
        "latency": lambda one: one.measures_latency and not one.loses_bounds,
    }
    named = []
    for kind, fits in kinds.items():
        fitting = {rule: one for rule, one in made.items() if fits(one)}
        right = [rule for rule, one in fitting.items() if rule in whole and _has_limit(rule, one)]
        if not right:
            unfinished = [*(rule for rule in fitting if rule not in whole), *fitting]
            actual = f"none on {kind}{_lost(made) if kind == 'latency' else ''}"
            if unfinished:
                lacks = "no limit" if unfinished[0] in whole else "no `for` or no severity"
                actual = f"{unfinished[0].alert} has {lacks}"
            if broken and not unfinished:
                actual += f"; {_place(broken[0])} does not parse"
            return failed(expected, excerpt(actual), *(rule.file for rule in (unfinished or broken)[:1]))
        named.append(right[0])
    return passed(f"{named[0].alert} and {named[1].alert}", named[0].file)


def _lost(made: Mapping[Rule, promql.Expression]) -> str:
    """Say which alert would be one on latency, if its buckets still had their bounds."""
    lost = next((rule for rule, one in made.items() if one.loses_bounds), None)
    return f"; the quantile of {lost.alert} has lost the label le of its buckets" if lost else ""


def _has_limit(rule: Rule, one: promql.Expression) -> bool:
    """Whether an alert compares: one that does not always fires. Grafana's own have their limits elsewhere."""
    return rule.is_managed or one.compares


def _lasts(rule: Rule) -> bool:
    """Whether a rule waits before it alerts; its duration may be `0s`."""
    return any(digit in rule.lasting for digit in "123456789")


def _of_query(query: Query) -> _Use:
    return _use(query.text, query.place, query.file)


def _of_rule(rule: Rule) -> _Use:
    return _use(rule.text, _place(rule), rule.file)


def _place(rule: Rule) -> str:
    return f"rule {rule.alert or rule.record}"


def _that_parse(ruled: Sequence[Rule]) -> Iterator[tuple[Rule, promql.Expression]]:
    """Yield rules with their expressions; the other criterion names those that do not parse."""
    for rule in ruled:
        with suppress(ValueError):
            yield rule, promql.read(rule.text)


def _use(text: str, place: str, file: File) -> _Use:
    """Raises ValueError, naming the place, where an expression does not parse."""
    try:
        return _Use(place, file, promql.read(text))
    except ValueError as error:
        reason = f"{file.path}, {place}: {error} in {text}"
        raise ValueError(excerpt(reason)) from None


def _known(traffic: History) -> set[str]:
    """Return every name that a scrape has shown; the bare ones of histograms if Prometheus makes native ones of them."""
    found: set[str] = set()
    converts = any(_CONVERTS.search(file.text) for file in traffic.of(File))
    for one in traffic.exchanges():
        if one.request.label.startswith(LABEL):
            try:
                scraped = read(one.end)
            except ValueError:
                continue
            found |= scraped.names
            if converts:
                found |= {name for name, family in scraped.families.items() if family.type == "histogram"}
    return found


def _expanded(
    one: promql.Expression, recorded: Mapping[str, promql.Expression], depth: int = _DEPTH
) -> promql.Expression:
    """Return what an expression computes together with the recorded ones that it uses."""
    used = [recorded[name] for name in one.metrics if name in recorded] if depth else []
    parts = [one, *(_expanded(other, recorded, depth - 1) for other in used)]
    return promql.Expression(
        metrics=one.metrics,
        divides=any(part.divides for part in parts),
        selects_errors=any(part.selects_errors for part in parts),
        measures_latency=any(part.measures_latency for part in parts),
        loses_bounds=any(part.loses_bounds for part in parts),
        compares=any(part.compares for part in parts),
    )
