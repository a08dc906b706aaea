"""Reads expressions of Prometheus's query language: which metrics they use, and what they compute."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import promql_parser

MOST_CHARACTERS = 10_000

# Grafana replaces its variables before Prometheus sees the expression.
_DURATION = re.compile(r"(?<=\[)[^\]\"]*\$[^\]\"]*(?=\])")
_LABELS = re.compile(r"(\b(?:by|without|on|ignoring)\s*\([^)\"]*)\$\{?\w+(?::\w+)?\}?")
_VARIABLE = re.compile(r"\"(?:[^\"\\]|\\.)*\"|(\$\{\w+(?::\w+)?\}|\$\w+|\[\[\w+\]\])")


@dataclass(frozen=True, slots=True)
class Expression:
    """An expression that parses: the names of its metrics, and whether it is a share of errors or a latency."""

    metrics: frozenset[str]
    divides: bool
    selects_errors: bool
    measures_latency: bool


def read(text: str) -> Expression:
    """Return what an expression uses. Raises ValueError, with the parser's reason, where it does not parse."""
    if len(text) > MOST_CHARACTERS:
        raise ValueError(f"has more than {MOST_CHARACTERS} characters")
    parsed = promql_parser.parse(_without_variables(text))
    found: list[promql_parser.Expr] = []
    promql_parser.walk(parsed, found.append)
    selectors = [one for one in found if isinstance(one, promql_parser.VectorSelector)]
    names = frozenset(name for one in selectors for name in _names(one))
    return Expression(
        metrics=names,
        divides=_divides(text),
        selects_errors=any(map(_selects_errors, selectors)),
        measures_latency=any(
            isinstance(one, promql_parser.Call) and one.func.name == "histogram_quantile" for one in found
        )
        or any(matcher.name in {"le", "quantile"} for one in selectors for matcher in _matchers(one)),
    )


def _without_variables(text: str) -> str:
    text = _DURATION.sub("5m", text)
    text = _LABELS.sub(r"\1label", text)
    return _VARIABLE.sub(lambda found: "1" if found[1] else found[0], text)


def _names(selector: promql_parser.VectorSelector) -> Iterator[str]:
    if selector.name:
        yield selector.name
    for matcher in _matchers(selector):
        if matcher.name == "__name__" and matcher.op == promql_parser.MatchOp.Equal:
            yield matcher.value


def _matchers(selector: promql_parser.VectorSelector) -> list[promql_parser.Matcher]:
    return [
        *selector.matchers.matchers,
        *(one for group in selector.matchers.or_matchers for one in group),
    ]


_ERRORS = re.compile(r"err|fail|exception", re.IGNORECASE)
_STATUS = re.compile(r"status|code|outcome|result|success|error", re.IGNORECASE)


def _selects_errors(selector: promql_parser.VectorSelector) -> bool:
    return bool(selector.name and _ERRORS.search(selector.name)) or any(
        _STATUS.search(matcher.name) for matcher in _matchers(selector)
    )


def _divides(text: str) -> bool:
    """Whether one thing is divided by another, outside of texts."""
    return "/" in re.sub(r"\"(?:[^\"\\]|\\.)*\"|'[^']*'", "", text)
