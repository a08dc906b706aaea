"""Judges who is stopped once a daily budget is spent."""

from collections.abc import Iterator

from chaos.history import Answer, Exchange, History
from exercises.project61.part2_security.second import no_second
from exercises.project61.part7_bonus.axes import KINDS, ROLES
from exercises.project61.part7_bonus.plan import (
    BUDGETS,
    NOT_BUILT,
    STOPPED,
    STOPPED_SECONDS,
    go_on,
    small_budget,
    stopped,
)
from exercises.project61.usage_report import cost_of, unread
from lab.reading import excerpt, outcome
from lab.retry_after import seconds_of
from lab.verdict import Verdict, all_of, failed, in_short, not_judged, passed

DAY_SECONDS = 24 * 3600


def budgets_stop_users(rules_and_spending: History) -> Verdict:
    history = rules_and_spending
    for role in ROLES.values:
        [costly] = history.exchanges(f"costly: {role}")
        if costly.status != 200:
            return failed("200 before a budget is spent", outcome(costly.end), costly.end)
    if problem := _never_stopped(history):
        return problem
    verdicts = [
        *(_stopped(history, history.exchanges(stopped(kind))[-1]) for kind in KINDS.values),
        *_go_on(history),
        _cost(history),
        no_second(history) or _stopped_elsewhere(history),
    ]
    return in_short(
        all_of(verdicts), f"stopped after more than ${small_budget(history):.2f}, on two instances"
    )


def _never_stopped(history: History) -> Verdict | None:
    """Return why nobody was stopped in time; None if the user was."""
    last = history.exchanges("spent")[-1]
    expected = (
        f"429 within {STOPPED_SECONDS:.0f} s once a user of the tier {STOPPED} has spent its budget "
        f"of ${small_budget(history):.2f}"
    )
    if last.status == 429:
        return None
    if last.status != 200:
        return failed(expected, outcome(last.end), last.end)
    costs = [cost for one in history.exchanges("cost") if (cost := cost_of(one.end)) is not None]
    spent = f"after answers that cost ${costs[-1]:.2f} by GET /v1/usage, " if costs else ""
    return failed(expected, f"{NOT_BUILT}{spent}{BUDGETS} stops nobody", last.end)


def _stopped(history: History, exchange: Exchange) -> Verdict:
    expected = "429 with Retry-After until the next day, and no call of the backend"
    if exchange.status != 429:
        return failed(expected, outcome(exchange.end), exchange.end)
    if history.calls(key=exchange.request.key):
        return failed(expected, "the backend was called", exchange.end)
    seconds = seconds_of(exchange.end) if isinstance(exchange.end, Answer) else None
    if seconds is None or not 0 <= seconds <= DAY_SECONDS + 1:
        said = exchange.end.headers.get("retry-after", "none") if isinstance(exchange.end, Answer) else ""
        return failed(expected, f"Retry-After: {excerpt(said, 40)}", exchange.end)
    return passed("", exchange.end)


def _go_on(history: History) -> Iterator[Verdict]:
    told = {"premium": "with a larger budget of its own", "enterprise": "without a budget"}
    for role, whose in told.items():
        for one in history.exchanges(go_on(role)):
            if one.status != 200:
                yield failed(f"200 for a user {whose}", outcome(one.end), one.end)
            else:
                yield passed("", one.end)


def _cost(history: History) -> Verdict:
    last = history.exchanges("cost")[-1]
    cost, budget = cost_of(last.end), small_budget(history)
    expected = f"total.cost of ${budget:.2f} or more in GET /v1/usage of the user who was stopped"
    if cost is None:
        return failed(expected, unread(last.end, "cost"), last.end)
    if cost < budget:
        return failed(expected, f"${cost:.4f}", last.end)
    return passed("", last.end)


def _stopped_elsewhere(history: History) -> Verdict:
    asked = history.exchanges("elsewhere")
    if not asked:
        return not_judged("nobody asked the second instance")
    return _stopped(history, asked[-1])
