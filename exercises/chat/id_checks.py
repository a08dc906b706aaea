"""Judges request ids on recorded answers, for every assessment that asks for them."""

import itertools
from collections.abc import Sequence
from http import HTTPStatus

from chaos.history import Answer, Exchange, History
from exercises.chat.request_id import HEADER, request_id
from lab.reading import excerpt, outcome
from lab.verdict import Verdict, failed, passed

SHARED_BY_CHANCE = 3


def present(history: History) -> Verdict:
    """Judge that every response has an id."""
    answers = _answers(history)
    for one, end in answers:
        if not request_id(end):
            return failed(
                "an X-Request-ID on every response", f"none in the {end.status} ({one.request.label})", end
            )
    return passed(f"{len(answers)} responses have one", answers[-1][1])


def kept(history: History) -> Verdict:
    """Judge that sane ids of callers come back."""
    if unanswered := _unanswered(history, "sane id"):
        return unanswered
    sane = [(one, end) for one, end in _answers(history) if one.request.label == "sane id"]
    for one, end in sane:
        sent = one.request.headers[HEADER]
        if request_id(end) != sent:
            return failed(
                f"the caller's sane id {excerpt(sent, 40)!r}", f"{excerpt(request_id(end), 40)!r}", end
            )
    return passed(f"{len(sane)} sane ids are kept", sane[0][1])


def replaced(history: History) -> Verdict:
    """Judge that ids which are not sane do not come back."""
    if unanswered := _unanswered(history, "insane id"):
        return unanswered
    insane = [(one, end) for one, end in _answers(history) if one.request.label == "insane id"]
    for one, end in insane:
        sent = one.request.headers[HEADER]
        if request_id(end) == sent.strip():
            return failed(
                f"an id of the service's own instead of {excerpt(sent, 40)!r}", "the caller's came back", end
            )
    return passed(f"{len(insane)} others are replaced", insane[0][1])


def unique(history: History) -> Verdict:
    """Judge that no two responses have the same id of the service's own.

    An error without an id is `present`'s matter alone; a success without one is an id that was not made.
    """
    seen: dict[str, Answer] = {}
    answers = _answers(history)
    for one, end in answers:
        found = request_id(end)
        if one.request.headers.get(HEADER) == found or (not found and end.status >= HTTPStatus.BAD_REQUEST):
            continue
        if not found:
            return failed("an id of its own for each response", f"none ({one.request.label})", end)
        if before := seen.get(found):
            return failed(
                "an id of its own for each response", f"two have {excerpt(found, 40)!r}", end, before
            )
        seen[found] = end
    return passed(f"{len(seen)} responses have ids of their own", answers[-1][1])


def apart(histories: Sequence[History]) -> Verdict:
    """Judge that two instances do not make the same ids. One may be the same by chance, if ids are short."""
    made = [_made(history) for history in histories]
    for one, other in itertools.combinations(made, 2):
        if len(shared := one.keys() & other.keys()) > SHARED_BY_CHANCE:
            first = min(shared)
            return failed(
                "an id of its own for each response, also of two instances",
                f"two instances have made {len(shared)} ids that are the same, such as {excerpt(first, 40)!r}",
                one[first],
                other[first],
            )
    return passed(f"{len(made)} instances make ids of their own")


def _made(history: History) -> dict[str, Answer]:
    """Return the answers to requests without an id, by the ids that the service has made."""
    asked = (pair for pair in _answers(history) if HEADER not in pair[0].request.headers)
    return {found: end for _, end in asked if (found := request_id(end))}


def _unanswered(history: History, label: str) -> Verdict | None:
    """Return the failure of a service that has left a request with this label without an answer, or all of them."""
    asked = history.exchanges(label)
    silent = [one for one in asked if not isinstance(one.end, Answer)]
    if asked and not silent:
        return None
    expected = "an answer with an X-Request-ID, whatever id the caller sends"
    return (
        failed(expected, outcome(silent[0].end), silent[0].end) if silent else failed(expected, "none came")
    )


def _answers(history: History) -> Sequence[tuple[Exchange, Answer]]:
    return [(one, one.end) for one in history.exchanges() if isinstance(one.end, Answer)]
