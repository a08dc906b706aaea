"""Reads the panels of Grafana's dashboards, of every version of their schema, and which of their queries are Prometheus's."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from exercises.project61.values import listed, table

_DEPTH = 50
_ASKED = re.compile(r"label_values\((?P<labelled>.+),\s*\w+\s*\)|query_result\((?P<result>.+)\)", re.DOTALL)
"""What the query of a variable is that has an expression."""
_MOST_CHARACTERS = 2_000
"""Of the query of a variable."""
_OTHERS = re.compile(
    r"loki|tempo|jaeger|zipkin|elastic|opensearch|postgres|mysql|influx|cloudwatch|testdata|__expr__",
    re.IGNORECASE,
)
"""What sources are called whose queries are not in Prometheus's language."""


def panels(dashboard: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the panels of a dashboard or of a file with a library panel, each with its `title` and `targets`."""
    yield from _nested(dashboard.get("panels"), _DEPTH)
    for row in map(table, listed(dashboard.get("rows"))):
        yield from _nested(row.get("panels"), _DEPTH)
    for library in (dashboard, *map(table, table(dashboard.get("__elements")).values())):
        if model := table(library.get("model")):
            yield model
    for element in map(table, table(dashboard.get("elements")).values()):
        yield _of_version_2(table(element.get("spec")))


def annotations(dashboard: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the names and expressions of a dashboard's annotations."""
    for one in map(table, listed(table(dashboard.get("annotations")).get("list"))):
        if isinstance(one.get("expr"), str) and one["expr"].strip() and asks_prometheus({}, one):
            yield str(one.get("name")), one["expr"]


def variables(dashboard: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the names and expressions of those of a dashboard's variables whose values Prometheus has."""
    for one in map(table, listed(table(dashboard.get("templating")).get("list"))):
        query = one.get("query")
        text = table(query).get("query") if isinstance(query, dict) else query
        asked = _ASKED.fullmatch(str(text or "").strip()[:_MOST_CHARACTERS])
        if asked and asks_prometheus({}, one):
            yield str(one.get("name")), asked["labelled"] or asked["result"]


def asks_prometheus(panel: Mapping[str, Any], target: Mapping[str, Any]) -> bool:
    """Whether a query is for Prometheus, by the type or the name of its source, or of its panel's."""
    source = target.get("datasource") or panel.get("datasource")
    if isinstance(source, str):
        return not _OTHERS.search(source)
    known = table(source)
    if kind := str(known.get("type") or ""):
        return "prometheus" in kind or kind.startswith("$")
    return not _OTHERS.search(f"{known.get('uid')} {known.get('name')}")


def _nested(found: Any, depth: int) -> Iterator[Mapping[str, Any]]:
    """Yield panels, those in rows included."""
    for panel in map(table, listed(found)) if depth else ():
        yield panel
        yield from _nested(panel.get("panels"), depth - 1)


def _of_version_2(panel: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a panel of schema version 2 as one of version 1 is written."""
    queries = listed(table(table(panel.get("data")).get("spec")).get("queries"))
    asked = [table(table(table(one).get("spec")).get("query")) for one in queries]
    targets = [
        {**table(one.get("spec")), "datasource": {"type": one.get("group") or one.get("kind")}}
        for one in asked
    ]
    return {"title": panel.get("title"), "targets": targets}
