"""Reads the files that monitoring is made of: Grafana's dashboards and Prometheus's rules."""

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from chaos.history import File, History
from exercises.project61.part3_monitoring.panels import annotations, asks_prometheus, panels, variables
from exercises.project61.values import listed, table
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
        *("deployments", "infrastructure", "charts", "helm", "kustomize", "compose"),
    ),
)
_NAMED = ("*monitoring*", "*grafana*", "*prometheus*", "*observability*", "*dashboard*", "*alert*")
_AROUND = ("src", "app", "apps", "api", "server", "backend", "services", "packages", "docs")
"""Folders of code in which one with such a name may be."""
_ENDINGS = ("json", "yml", "yaml", "rules")
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
    *(f"{folder}/**/*.{ending}" for folder in (*_FOLDERS, *_NAMED) for ending in _ENDINGS),
    *(f"{folder}/**/{name}/**/*.{ending}" for folder in _AROUND for name in _NAMED for ending in _ENDINGS),
)
"""Where dashboards and rules are looked for."""
MOST_PANELS = 2_000
MOST_QUERIES = 300
"""Of all dashboards; others are not read, because an expression can take a second to read."""
_MOST_LISTS = 3
"""Lists of objects and files within each other."""
_REFERENCE = re.compile(r"\$\{?(?P<name>\w+)\}?")
"""What stands for the result of a query in the expressions of rules that Grafana manages."""


@dataclass(frozen=True, slots=True)
class Query:
    """An expression of a dashboard: of a panel, an annotation or a variable, which `place` names."""

    file: File
    place: str
    text: str
    is_of_panel: bool = True


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of Prometheus's: an `alert` with a time and labels, or a `record`, which makes a metric of that name."""

    file: File
    text: str
    alert: str = ""
    record: str = ""
    lasting: str = ""
    severity: str = ""
    is_managed: bool = False
    """Whether it is one of Grafana's own."""


def queries(history: History) -> list[Query]:
    """Return the expressions of every dashboard, those for other sources than Prometheus aside."""
    found: list[Query] = []
    for file in history.of(File):
        if file.path.endswith(".json"):
            found += _queries(file, as_json(file.text))
        elif file.path.endswith((".yml", ".yaml")):
            for dashboard in _packed_dashboards(file):
                found += _queries(file, dashboard)
    return found[:MOST_QUERIES]


def rules(history: History) -> list[Rule]:
    """Return the rules of every file that has groups of them. Raises ValueError where one is no YAML."""
    found: list[Rule] = []
    for file in history.of(File):
        if file.path.endswith((".yml", ".yaml", ".rules")) and "groups" in file.text:
            for document in _documents(file):
                found += _rules(file, document)
    return found[:MOST_QUERIES]


def _queries(file: File, dashboard: Any) -> Iterator[Query]:
    for wrapper in ("dashboard", "spec"):
        if isinstance(dashboard, dict) and isinstance(dashboard.get(wrapper), dict):
            dashboard = dashboard[wrapper]
    if not isinstance(dashboard, dict):
        return
    for panel in list(panels(dashboard))[:MOST_PANELS]:
        for target in listed(panel.get("targets")):
            if not isinstance(target, dict) or not asks_prometheus(panel, target):
                continue
            if isinstance(target.get("expr"), str) and target["expr"].strip():
                yield Query(file, f"panel '{panel.get('title') or 'without a title'}'", target["expr"])
    for name, text in annotations(dashboard):
        yield Query(file, f"annotation '{name}'", text, is_of_panel=False)
    for name, text in variables(dashboard):
        yield Query(file, f"variable '{name}'", text, is_of_panel=False)


def _rules(file: File, document: Any, depth: int = _MOST_LISTS) -> Iterator[Rule]:
    """Yield the rules of a file of Prometheus's or Grafana's, of a PrometheusRule of the operator, or in a ConfigMap."""
    if not isinstance(document, dict):
        return
    for one in listed(document.get("items")) if depth else []:
        yield from _rules(file, one, depth - 1)
    for name, text in _packed(document):
        if name.endswith((".yml", ".yaml", ".rules")) and "expr" in text and depth:
            for one in compose_file.load_all(text):
                yield from _rules(file, one, depth - 1)
    groups = document.get("groups") or table(document.get("spec")).get("groups")
    for group in map(table, listed(groups)):
        for rule in map(table, listed(group.get("rules"))):
            if ("alert" in rule or "record" in rule) and "expr" in rule:
                yield _rule(file, rule)
            elif "title" in rule:
                yield from _managed(file, rule)


def _managed(file: File, rule: Mapping[str, Any]) -> Iterator[Rule]:
    """Yield a rule that Grafana manages: one for each of its queries, and for what it computes of them."""
    queries = [table(one) for one in listed(rule.get("data"))]
    models = {str(one.get("refId")): table(one.get("model")) for one in queries}
    asked = {
        name: str(models[name]["expr"])
        for one in queries
        if (name := str(one.get("refId")))
        and isinstance(models[name].get("expr"), str)
        and asks_prometheus({"datasource": str(one.get("datasourceUid") or "")}, models[name])
    }
    computed = [
        _REFERENCE.sub(lambda found: f"({asked.get(found['name'], 1)})", str(model.get("expression") or ""))
        for model in models.values()
        if model.get("type") == "math"
    ]
    for text in (*asked.values(), *computed):
        yield _rule(file, {**rule, "expr": text, "alert": rule["title"]})


def _packed_dashboards(file: File) -> Iterator[Any]:
    """Yield the dashboards that a ConfigMap or a resource of Grafana's operator holds as texts."""
    if "panels" not in file.text and "elements" not in file.text:
        return
    with suppress(ValueError):
        for document in map(table, _documents(file)):
            yield from (as_json(text) for name, text in _packed(document) if name.endswith("json"))


def _packed(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the files that a ConfigMap holds, by name, and the `json` of a GrafanaDashboard."""
    held = {"ConfigMap": "data", "GrafanaDashboard": "spec"}.get(str(document.get("kind")))
    for name, text in table(document.get(held)).items() if held else ():
        if isinstance(text, str):
            yield str(name), text


def _rule(file: File, rule: Mapping[str, Any]) -> Rule:
    labels = rule.get("labels")
    return Rule(
        file,
        str(rule["expr"]),
        alert=str(rule.get("alert") or ""),
        record=str(rule.get("record") or ""),
        lasting=str(rule.get("for") or ""),
        severity=str(labels.get("severity") or "") if isinstance(labels, dict) else "",
        is_managed="title" in rule,
    )


def _documents(file: File) -> list[Any]:
    """Return the documents of a file that may hold expressions. Raises ValueError, with its path, where it is no YAML."""
    if "expr" not in file.text:
        return []
    try:
        return compose_file.load_all(file.text)
    except ValueError as error:
        if "{{-" in file.text or "/templates/" in file.path:
            return []  # a template of Helm's, whose rules cannot be read
        raise ValueError(f"{file.path}: {error}") from error
