"""Reads what `GET /metrics` has answered, and what has changed between two scrapes."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from prometheus_client import Metric
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from chaos.history import Answer, Exchange, Failure, History
from lab.reading import excerpt, outcome

LABEL = "scrape: "
_OPENMETRICS = "application/openmetrics-text"
_COUNTING = {"counter", "histogram", "summary"}
_TYPE = re.compile(r"^# TYPE (\S+) (\w+)$", re.MULTILINE)
_ENDINGS = {"histogram": ("_bucket", "_sum", "_count"), "summary": ("", "_sum", "_count")}

Labels = frozenset[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Series:
    """One time series: the name and labels of a sample."""

    name: str
    labels: Labels

    @property
    def by_name(self) -> dict[str, str]:
        return dict(self.labels)


@dataclass(frozen=True, slots=True)
class Scrape:
    """The metrics in one answer: each family with its type and help, and each sample with its family and value.

    `names` are all that an expression can use: those of samples, and of families that have none yet.
    """

    families: Mapping[str, Metric]
    samples: Mapping[Series, tuple[str, float]]
    names: frozenset[str]

    def type_of(self, series: Series) -> str:
        return str(self.families[self.samples[series][0]].type)


def scrapes(history: History, name: str) -> list[Exchange]:
    """Return the scrapes of a name, in their order."""
    return history.exchanges(f"{LABEL}{name}")


def read(end: Answer | Failure | None) -> Scrape:
    """Return the metrics in an answer. Raises ValueError, with a reason for people, where there are none."""
    if not isinstance(end, Answer) or end.status != 200:
        raise ValueError(outcome(end))
    if end.cut:
        raise ValueError("an answer of more than 256 KiB")
    is_openmetrics = end.headers.get("content-type", "").startswith(_OPENMETRICS)
    parse = openmetrics.text_string_to_metric_families if is_openmetrics else text_string_to_metric_families
    try:
        found = list(parse(end.body))
    except Exception as error:  # noqa: BLE001  the parsers raise whatever a line leads them to
        raise ValueError(f"no metrics: {excerpt(str(error), 100)}") from None
    if not found:
        raise ValueError("no metrics")
    return _scrape(found, set(_declared(end.body, counters="_total" if is_openmetrics else "")))


def _declared(text: str, *, counters: str) -> Iterator[str]:
    """Yield the names of the samples that a text declares by TYPE lines; a counter's ends in `counters`."""
    for name, kind in _TYPE.findall(text):
        endings = (counters,) if kind == "counter" else _ENDINGS.get(kind, ("",))
        yield from (f"{name}{ending}" for ending in endings)


def _scrape(found: list[Metric], declared: set[str]) -> Scrape:
    families: dict[str, Metric] = {}
    samples: dict[Series, tuple[str, float]] = {}
    for family in found:
        kept = families.get(family.name)
        if kept is None or kept.type == "unknown":
            families[family.name] = family
        for sample in family.samples:
            series = Series(sample.name, frozenset(sample.labels.items()))
            if series in samples:
                raise ValueError(f"{sample.name}{sample.labels or ''} stands there twice")
            samples[series] = (family.name, float(sample.value))
    return Scrape(families, samples, frozenset(declared | {series.name for series in samples}))


@dataclass(frozen=True, slots=True)
class Growth:
    """How much a series of a counter, histogram or summary has grown."""

    family: str
    series: Series
    by: float


def sums_of(found: Iterable[Growth], value: str) -> set[float]:
    """Return by how much series with a label of this value have grown: in all, and by each value of each other label.

    The value may stand behind slashes, as a model's behind its provider's name.
    """
    sums: dict[tuple[str, str, str], float] = defaultdict(float)
    for one in found:
        if not any(own.rpartition("/")[2] == value for _, own in one.series.labels):
            continue
        sums[one.series.name, "", ""] += one.by
        for label, own in one.series.labels:
            sums[one.series.name, label, own] += one.by
    return set(sums.values())


def growth(before: Scrape, after: Scrape) -> Iterator[Growth]:
    """Yield what has grown between two scrapes."""
    for series, (family, value) in after.samples.items():
        if after.type_of(series) not in _COUNTING or series.name.endswith("_created"):
            continue
        by = value - before.samples.get(series, (family, 0.0))[1]
        if by > 0:
            yield Growth(family, series, by)
