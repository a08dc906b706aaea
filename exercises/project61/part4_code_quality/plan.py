"""The numbers of part 4's page, for experiments and checks alike."""

from chaos.history import Answer, Failure, History

FAILURES_IN_A_ROW = 40
"""Requests that fail before a breaker must have opened."""
AT_ONCE = 4
"""How many of them are sent at the same time."""
COOL_DOWN_SECONDS = 60.0
EXIT_SECONDS = 33.0
OUTAGE_SECONDS = 5.0
"""How long the database is down, and then how long it is silent."""
ARRIVAL_SECONDS = 25.0
"""How long usage may take to arrive once the database, or the service, is back."""


def is_rejection(history: History, end: Answer | Failure | None) -> bool:
    """Whether a request was answered 503 without a call of the backend while it was under way."""
    if not isinstance(end, Answer) or end.status != 503:
        return False
    key = next(one.request.key for one in history.exchanges() if one.end is end)
    begun = end.t - end.elapsed
    return not any(begun <= call.call.t <= end.t for call in history.calls(key=key))
