"""Reads expressions of Prometheus's query language: which metrics they use, and what they compute."""

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import accumulate

import promql_parser

MOST_CHARACTERS = 10_000
MOST_PARTS = 80
"""Operators, and parentheses within each other: the parser's time and memory grow with the cube of their number."""

_TEXTS = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|#[^\n]*")
_OPERATOR = re.compile(r"[-+*/%^]|[<>=!]=?|\b(?:and|or|unless|atan2)\b", re.IGNORECASE)

# Grafana replaces its variables before Prometheus sees the expression.
_DURATION = re.compile(r"(?<=\[)[^\]\"]*\$[^\]\"]*(?=\])")
_LABELS = re.compile(r"\b(?:by|without|on|ignoring)\s*\([^)\"]*\)")
_LABEL = re.compile(r"\$\{?\w+(?::\w+)?\}?")
_REFERENCE = r"(?:\$\{\w+(?::\w+)?\}|\$\w+(?!\w)|\[\[\w+\]\])"
_VARIABLE = re.compile(
    r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'"
    rf"|(?P<name>(?<![\w:])[A-Za-z_:][\w:]*{_REFERENCE}[\w:]*|{_REFERENCE}(?:[\w:]+|(?=\s*[{{\[])))|(?P<value>{_REFERENCE})"
)
_COMPARISONS = {">", ">=", "<", "<="}
_LIMITS = _COMPARISONS | {"==", "!="}
_SELECTIONS = {"topk", "bottomk", "limitk", "limit_ratio"}
"""Aggregations that keep the labels of what they select."""
_UNKNOWN = "name_in_a_variable"
"""What stands for a metric whose name, or a part of it, is in a variable."""


@dataclass(frozen=True, slots=True)
class Expression:
    """An expression that parses: the names of its metrics, and whether it is a share of errors or a latency, or compares."""

    metrics: frozenset[str]
    divides: bool
    selects_errors: bool
    measures_latency: bool
    loses_bounds: bool
    """Whether it takes a quantile of buckets whose bounds an aggregation has dropped: it has no value, ever."""
    compares: bool


def read(text: str) -> Expression:
    """Return what an expression uses. Raises ValueError, with the parser's reason, where it does not parse."""
    if len(text) > MOST_CHARACTERS:
        raise ValueError(f"has more than {MOST_CHARACTERS} characters")
    plain = _TEXTS.sub("", text)
    if len(_OPERATOR.findall(plain)) + _depth(plain) > MOST_PARTS:
        raise ValueError(f"has more than {MOST_PARTS} parts")
    parsed = _parsed(text)
    found = _parts(parsed)
    selectors = [one for one in found if isinstance(one, promql_parser.VectorSelector)]
    names = frozenset(name for one in selectors for name in _names(one) if name != _UNKNOWN)
    return Expression(
        metrics=names,
        divides=any(map(_is_share, found)),
        selects_errors=any(map(_selects_errors, selectors)),
        measures_latency=any(map(_LATENCY.search, names)) or any(map(_is_quantile, found)),
        loses_bounds=any(map(_loses_bounds, found)),
        compares=any(map(_compares, found)),
    )


def _depth(text: str) -> int:
    """Return how many parentheses are open within each other at most."""
    steps = (1 if sign == "(" else -1 for sign in text if sign in "()")
    return max(accumulate(steps), default=0)


def _parsed(text: str) -> promql_parser.Expr:
    """Parse an expression; a variable of Grafana's is a number or the name of a metric, whichever parses."""
    try:
        return promql_parser.parse(_without_variables(text, "1"))
    except ValueError:
        with suppress(ValueError):
            return promql_parser.parse(_without_variables(text, _UNKNOWN))
        raise


def _is_share(one: promql_parser.Expr) -> bool:
    """Whether an expression divides what it selects by what it selects, or compares it with a multiple of that."""
    if not isinstance(one, promql_parser.BinaryExpr) or not _selects(one.lhs) or not _selects(one.rhs):
        return False
    compares = str(one.op) in _COMPARISONS
    return str(one.op) == "/" or (compares and (_has_multiple(one.lhs) or _has_multiple(one.rhs)))


def _compares(one: promql_parser.Expr) -> bool:
    return isinstance(one, promql_parser.BinaryExpr) and str(one.op) in _LIMITS


def _has_multiple(one: promql_parser.Expr) -> bool:
    """Whether something that is selected is multiplied with a number in an expression, or divided by one."""
    return any(
        isinstance(each, promql_parser.BinaryExpr)
        and str(each.op) in {"*", "/"}
        and _selects(each.lhs) != _selects(each.rhs)
        for each in _parts(one)
    )


def _selects(one: promql_parser.Expr) -> bool:
    return any(isinstance(each, promql_parser.VectorSelector) for each in _parts(one))


def _parts(one: promql_parser.Expr) -> list[promql_parser.Expr]:
    """Return an expression and all that are within it."""
    found: list[promql_parser.Expr] = []
    promql_parser.walk(one, found.append)
    return found


def _is_quantile(one: promql_parser.Expr) -> bool:
    return isinstance(one, promql_parser.Call) and one.func.name == "histogram_quantile"


def _loses_bounds(one: promql_parser.Expr) -> bool:
    return _is_quantile(one) and any(
        isinstance(each, promql_parser.AggregateExpr) and _drops_bounds(each) and _has_buckets(each)
        for each in _parts(one)
    )


def _drops_bounds(one: promql_parser.AggregateExpr) -> bool:
    if str(one.op) in _SELECTIONS:
        return False
    if one.modifier is None:
        return True
    is_without: bool = one.modifier.type == promql_parser.AggModifierType.Without
    return ("le" in one.modifier.labels) == is_without


def _has_buckets(one: promql_parser.Expr) -> bool:
    selectors = (each for each in _parts(one) if isinstance(each, promql_parser.VectorSelector))
    return any(name.endswith("_bucket") for each in selectors for name in _names(each))


def _without_variables(text: str, value: str) -> str:
    text = _DURATION.sub(lambda found: "5m:1m" if ":" in _LABEL.sub("", found[0]) else "5m", text)
    text = _LABELS.sub(lambda found: _LABEL.sub("label", found[0]), text)
    return _VARIABLE.sub(
        lambda found: _UNKNOWN if found["name"] else value if found["value"] else found[0], text
    )


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


_LATENCY = re.compile(r"(?:latency|duration|response_time)(?!.*_count$)|_bucket$", re.IGNORECASE)
_ERRORS = re.compile(r"err|fail|exception", re.IGNORECASE)
_STATUS = re.compile(r"status|code|outcome|result|success|error", re.IGNORECASE)


def _selects_errors(selector: promql_parser.VectorSelector) -> bool:
    if selector.name and selector.name.endswith(("_sum", "_bucket")):
        return False  # how long answers with a status took
    return bool(selector.name and _ERRORS.search(selector.name)) or any(
        _STATUS.search(matcher.name) for matcher in _matchers(selector)
    )
