"""Reads the panels of Grafana's dashboards, of every version of their schema, and which of their queries are Prometheus's."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from exercises.project61.values import listed, table

_DEPTH = 50
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
