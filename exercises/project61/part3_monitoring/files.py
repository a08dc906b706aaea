"""Reads the files that monitoring is made of: Grafana's dashboards and Prometheus's rules."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from chaos.history import File, History
from lab import compose_file
from lab.reading import as_json

_FOLDERS = (
    *(
        "deploy",
        "deployment",
        "k8s",
        "kubernetes",
        "manifests",
        "infra",
        "docker",
        "config",
        "configs",
        "ops",
    ),
    *("*monitoring*", "*grafana*", "*prometheus*", "*observability*", "*dashboard*", "*alert*"),
)
_NAMES = (
    "*dashboard*.json",
    "*grafana*.json",
    "*alert*.y*ml",
    "*rules*.y*ml",
    "*prometheus*.y*ml",
    "*.rules",
)
PATTERNS = (
    *_NAMES,
    *(f"{folder}/**/*.{ending}" for folder in _FOLDERS for ending in ("json", "yml", "yaml", "rules")),
)
"""Where dashboards and rules are looked for."""
MOST_PANELS = 2_000
MOST_QUERIES = 300
"""Of all dashboards; others are not read, because an expression can take a second to read."""
_DEPTH = 50


@dataclass(frozen=True, slots=True)
class Query:
    """An expression of a dashboard."""

    file: File
    panel: str
    text: str


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of Prometheus's: an `alert` with a time and labels, or a `record`, which makes a metric of that name."""

    file: File
    text: str
    alert: str = ""
    record: str = ""
    lasting: str = ""
    severity: str = ""


def queries(history: History) -> list[Query]:
    """Return the expressions of every dashboard, those for other sources than Prometheus aside."""
    found = []
    for file in history.of(File):
        if file.path.endswith(".json"):
            found += list(_queries(file, as_json(file.text)))
    return found[:MOST_QUERIES]


def rules(history: History) -> list[Rule]:
    """Return the rules of every file that has groups of them. Raises ValueError where one is no YAML."""
    found = []
    for file in history.of(File):
        if file.path.endswith((".yml", ".yaml", ".rules")):
            for document in _yaml(file):
                found += list(_rules(file, document))
    return found[:MOST_QUERIES]


def _queries(file: File, dashboard: Any) -> Iterator[Query]:
    if isinstance(dashboard, dict) and isinstance(dashboard.get("dashboard"), dict):
        dashboard = dashboard["dashboard"]
    if not isinstance(dashboard, dict):
        return
    for panel in list(_panels(dashboard.get("panels"), _DEPTH))[:MOST_PANELS]:
        targets = panel.get("targets")
        for target in targets if isinstance(targets, list) else []:
            if not isinstance(target, dict) or not _asks_prometheus(panel, target):
                continue
            if isinstance(target.get("expr"), str) and target["expr"].strip():
                yield Query(file, str(panel.get("title") or "without a title"), target["expr"])


def _panels(found: Any, depth: int) -> Iterator[dict[str, Any]]:
    """Yield panels, those in rows included."""
    for panel in found if isinstance(found, list) and depth else []:
        if isinstance(panel, dict):
            yield panel
            yield from _panels(panel.get("panels"), depth - 1)


def _asks_prometheus(panel: dict[str, Any], target: dict[str, Any]) -> bool:
    source = target.get("datasource") or panel.get("datasource")
    kind = source.get("type", "prometheus") if isinstance(source, dict) else "prometheus"
    return kind == "prometheus" or str(kind).startswith("$")


def _rules(file: File, document: Any) -> Iterator[Rule]:
    """Yield the rules of a file of Prometheus's, or of a PrometheusRule of its operator."""
    if not isinstance(document, dict):
        return
    spec = document.get("spec")
    groups = document.get("groups") or (spec.get("groups") if isinstance(spec, dict) else None)
    for group in groups if isinstance(groups, list) else []:
        listed = group.get("rules") if isinstance(group, dict) else None
        for rule in listed if isinstance(listed, list) else []:
            if isinstance(rule, dict) and ("alert" in rule or "record" in rule) and "expr" in rule:
                yield _rule(file, rule)


def _rule(file: File, rule: dict[str, Any]) -> Rule:
    labels = rule.get("labels")
    return Rule(
        file,
        str(rule["expr"]),
        alert=str(rule.get("alert") or ""),
        record=str(rule.get("record") or ""),
        lasting=str(rule.get("for") or ""),
        severity=str(labels.get("severity") or "") if isinstance(labels, dict) else "",
    )


def _yaml(file: File) -> list[Any]:
    """Return the documents of a file that may hold rules. Raises ValueError, with its path, where it is no YAML."""
    # Templates of Helm's are no YAML, and have no rules that could be read.
    if "groups" not in file.text or "expr" not in file.text or "{{-" in file.text:
        return []
    try:
        return compose_file.load_all(file.text)
    except ValueError as error:
        raise ValueError(f"{file.path}: {error}") from error
