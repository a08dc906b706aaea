"""Judges what GET /v1/usage tells by day, model and user."""

import math
import urllib.parse
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from chaos.history import Answer, Exchange, Failure, History
from exercises.project61.part7_bonus.plan import NOT_BUILT
from exercises.project61.usage_report import TOKENS, cost_of, not_numbers, number, report_of, unread
from lab.reading import excerpt, outcome
from lab.verdict import Verdict, all_of, failed, in_short, passed

_DAY_LETTERS = len("2026-01-31")
_ROUNDED = 1e-4
"""US dollars by which sums may differ: costs may be rounded in a report."""


@dataclass(frozen=True, slots=True)
class Group:
    """What one user has used of one model on one day."""

    day: str
    model: str
    user: str
    requests: float
    tokens: float
    cost: float


def groups_of(end: Answer | Failure | None) -> list[Group] | None:
    """Return the groups of a usage report; None if it has no list of them."""
    data = report_of(end).get("data")
    if not isinstance(data, list):
        return None
    return [_group(one) for one in data if isinstance(one, dict)]


def usage_is_analysed(rules_and_spending: History) -> Verdict:
    history = rules_and_spending
    own, everybody = history.exchanges("usage: own")[-1], history.exchanges("usage: everybody")[-1]
    [up_to_today] = history.exchanges("usage: up to today")
    if groups_of(own.end) is None:
        expected = "GET /v1/usage with a list `data`, by day, model and user"
        if own.status != 200:
            return failed(expected, outcome(own.end), own.end)
        return failed(expected, f"{NOT_BUILT}its answer has no list `data`", own.end)
    verdicts = [
        _compare(history, own, ("premium",), "a user's own"),
        _is_grouped(own),
        _adds_up(own),
        _compare(history, up_to_today, ("premium",), "a user's own, until today, which is included"),
        _bounded(history),
        _compare(history, everybody, ("premium", "enterprise"), "everybody's, for an admin"),
        _private(history),
    ]
    asked = len(history.exchanges("analysed: premium")) + len(history.exchanges("analysed: enterprise"))
    return in_short(all_of(verdicts), f"{asked} answers were told by day, model and user")


def _compare(history: History, exchange: Exchange, roles: Sequence[str], whose: str) -> Verdict:
    """Compare the groups of some users, and of nobody else if there is one role alone, with what they were answered."""
    groups = groups_of(exchange.end)
    if groups is None:
        return failed(f"usage by day, model and user: {whose}", outcome(exchange.end), exchange.end)
    asked = urllib.parse.parse_qs(urllib.parse.urlsplit(exchange.request.path).query)
    days = {*asked["since"], *asked["until"]}
    for one in groups:
        if one.day not in days:
            return failed(f"days from {asked['since'][0]} on", f"{excerpt(one.day, 30)!r}", exchange.end)
    names = {history.contract.users[role].name: role for role in roles}
    if len(roles) == 1 and (others := {one.user for one in groups} - set(names)):
        return failed(
            f"usage: {whose}", f"also that of {excerpt(', '.join(sorted(others)), 60)}", exchange.end
        )
    for name, role in names.items():
        for model, (requests, tokens) in _used(history, role).items():
            found = [one for one in groups if (one.user, one.model.rpartition("/")[2]) == (name, model)]
            seen = sum(one.requests for one in found), sum(one.tokens for one in found)
            if seen != (requests, tokens):
                expected = f"{requests} requests and {tokens} tokens of {name} and {model} ({whose})"
                actual = f"{seen[0]:g} requests and {seen[1]:g} tokens{_wrong_fields(exchange)}"
                return failed(expected, actual, exchange.end)
            if not sum(one.cost for one in found) > 0:
                return failed(f"a cost of {name} and {model} ({whose})", "it is 0", exchange.end)
    return passed("", exchange.end)


def _wrong_fields(exchange: Exchange) -> str:
    """Say what cannot be read in the first object of a report that has such a field."""
    objects = [one for one in report_of(exchange.end)["data"] if isinstance(one, dict)]
    wrong = next(filter(None, (not_numbers(one, (*TOKENS, "requests")) for one in objects)), "")
    return f"; {wrong}" if wrong else ""


def _is_grouped(own: Exchange) -> Verdict:
    counts = Counter((one.day, one.model, one.user) for one in groups_of(own.end) or ())
    for group, count in counts.items():
        if count > 1:
            actual = f"{count} for {excerpt(' '.join(group), 80)}"
            return failed("one object for each day, model and user", actual, own.end)
    return passed("", own.end)


def _adds_up(own: Exchange) -> Verdict:
    groups, total = groups_of(own.end) or [], cost_of(own.end)
    added = sum(one.cost for one in groups)
    if total is None or not math.isclose(added, total, rel_tol=0.01, abs_tol=_ROUNDED * max(1, len(groups))):
        said = unread(own.end, "cost") if total is None else f"${total:.6f} in all"
        return failed("costs that add up to the total's", f"${added:.6f} in groups and {said}", own.end)
    return passed("", own.end)


def _bounded(history: History) -> Verdict:
    [earlier] = history.exchanges("usage: earlier")
    groups = groups_of(earlier.end)
    if groups is None or any(one.requests or one.tokens for one in groups):
        actual = outcome(earlier.end) if groups is None else f"{len(groups)} groups"
        return failed("an empty list for days on which nothing was asked", actual, earlier.end)
    return passed("", earlier.end)


def _private(history: History) -> Verdict:
    [pried] = history.exchanges("usage: everybody for a user")
    if pried.status in {403, 404}:
        return passed("", pried.end)
    return failed("403 for ?user=* without the permission admin", outcome(pried.end), pried.end)


def _used(history: History, role: str) -> dict[str, tuple[int, int]]:
    """Return the requests and tokens of a user's answers by model, as the backend has reported them."""
    used: dict[str, tuple[int, int]] = {}
    for model, tokens in _reported(history, role):
        requests, before = used.get(model, (0, 0))
        used[model] = requests + 1, before + tokens
    return used


def _reported(history: History, role: str) -> Iterator[tuple[str, int]]:
    for one in history.exchanges(f"analysed: {role}"):
        for call in history.calls(key=one.request.key):
            if one.status == 200 and call.call.model and call.reply and call.reply.usage:
                yield call.call.model, sum(call.reply.usage)


def _group(fields: dict[str, Any]) -> Group:
    prompt, completion = number(fields.get("prompt_tokens")), number(fields.get("completion_tokens"))
    return Group(
        day=str(fields.get("day") or "")[:_DAY_LETTERS],
        model=str(fields.get("model") or ""),
        user=str(fields.get("user") or ""),
        requests=number(fields.get("requests")) or 0.0,
        tokens=(prompt or 0.0) + (completion or 0.0),
        cost=number(fields.get("cost")) or 0.0,
    )
