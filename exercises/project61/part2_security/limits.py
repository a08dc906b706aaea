"""Whether the limits of the tiers hold for all instances together."""

import math
import re
from collections.abc import Iterator

from chaos.history import Answer, Exchange, History
from exercises.project61.openai_errors import FORM, misfit
from exercises.project61.part2_security.plan import TIERS, TRIES, WINDOW_SECONDS, limits_of
from exercises.project61.part2_security.second import no_second
from lab.reading import outcome
from lab.retry_after import seconds_of
from lab.timing import stalled, too_busy
from lab.verdict import Verdict, all_of, failed, in_short, not_judged, passed

LEAST_SHARE = 0.5
"""Of a limit, what a burst gets at least: a limiter may smooth what comes at once."""
MOST_SHARE = 1.5
"""Of a limit, what all instances together may let through: a request that Redis answers too late may be counted elsewhere.

Instances that count for themselves let twice the limit through, and so does a new window, which one user may meet.
"""
API_KEY, STREAM, ANOTHER = "by an API key", "for a stream", "as another user"
"""The other ways in which requests are made once a limit is met."""
LEAST_TIERS = 2
"""In which something has to be seen, because a new window or a late answer of Redis may explain it in one."""
_NO_TIME = re.compile(r"|-.*|nan|undefined|null|none|invalid date", re.IGNORECASE)
"""What stands where a program had no time to tell."""


def limits_hold_across_instances(two_instances: History) -> Verdict:
    if problem := no_second(two_instances):
        return problem
    limits = limits_of(two_instances)
    verdicts = [
        *(_holds(two_instances, tier, limits[tier]) for tier in TIERS),
        *(verdict for tier in TIERS for verdict in _answers(two_instances, tier, limits[tier])),
        *(_is_the_users(two_instances, way) for way in (API_KEY, STREAM)),
        _leaves_others_alone(two_instances),
    ]
    let_through = (
        f"{tier}: {_admitted(_bursts(two_instances, tier)[-1])} of {limits[tier]}" for tier in TIERS
    )
    return in_short(all_of(verdicts), f"let through on two instances, {', '.join(let_through)}")


def beyond_label(way: str, tier: str) -> str:
    """Return the label of requests in another way once a tier's first user has met the limit."""
    return f"beyond, {way}: {tier}"


def burst_label(tier: str, number: int) -> str:
    """Return the label of what a tier's user of this number asks for beyond the limit; they count from 1."""
    return f"limited: {tier}" if number == 1 else f"limited: {tier}, user {number}"


def lets_too_many_through(history: History, tier: str, number: int) -> bool:
    """Whether a tier's user of this number was let through more often than the limit allows."""
    return not _count(tier, limits_of(history)[tier], history.exchanges(burst_label(tier, number))).passed


def _bursts(history: History, tier: str) -> list[list[Exchange]]:
    """Return what each user of a tier has asked for, one after the other; the first at least has."""
    asked = (history.exchanges(burst_label(tier, number)) for number in range(1, TRIES + 1))
    return [one for one in asked if one]


def _answers(history: History, tier: str, limit: int) -> Iterator[Verdict]:
    """Judge the answers of a tier: how many were let through at least, and what those that were refused say."""
    for asked in _bursts(history, tier):
        odd = [one for one in asked if one.status not in {200, 429}]
        if odd:
            yield failed(f"200 or 429 for the tier {tier}", outcome(odd[0].end), odd[0].end)
            return
        if _admitted(asked) == len(asked):
            # Neither a new window nor an instance that counts for itself lets all of them through.
            expected = f"429 beyond {limit} requests in a minute for the tier {tier}"
            yield failed(expected, "all were let through", asked[-1].end)
        if _admitted(asked) < limit * LEAST_SHARE:
            expected = f"about {limit} requests in a minute for the tier {tier}"
            yield failed(expected, f"{_admitted(asked)} of {len(asked)} were let through", asked[-1].end)
        for one in asked:
            if isinstance(one.end, Answer) and one.status == 429:
                yield _tells_when(one.end, limit)


def _holds(history: History, tier: str, limit: int) -> Verdict:
    """Judge how many requests of a tier were let through at most. One user to whom the limit applies is enough."""
    bursts = _bursts(history, tier)
    counts = [_count(tier, limit, asked) for asked in bursts]
    if kept := [verdict for verdict in counts if verdict.passed]:
        return kept[0]
    if len(bursts) < TRIES:
        return not_judged(f"no other user of the tier {tier} has asked", bursts[-1][-1].end)
    start = min(_bursts(history, one)[0][0].request.t for one in TIERS)
    if stalled(history, start, _end(bursts[-1])):
        return too_busy("let Redis count in time", bursts[-1][-1].end)
    return counts[-1]


def _is_the_users(history: History, way: str) -> Verdict:
    """Judge whether a limit that a user has met by a token, for whole answers, holds in another way as well.

    A right service may begin a new window at that moment, but not in every tier.
    """
    tried = [
        asked
        for tier in TIERS
        if _bursts(history, tier)[0][-1].status == 429
        and (asked := history.exchanges(beyond_label(way, tier)))
    ]
    let_through = [asked for asked in tried if all(one.status == 200 for one in asked)]
    if len(tried) < LEAST_TIERS or len(let_through) < len(tried):
        return passed("")
    expected = f"429 {way} for a user who has met the limit"
    if stalled(history, tried[0][0].request.t, _end(tried[-1])):
        return too_busy("ask again within a minute", tried[0][0].end)
    return failed(expected, f"all of {sum(map(len, tried))} requests were let through", tried[0][0].end)


def _leaves_others_alone(history: History) -> Verdict:
    """Judge whether users are let through who have not asked yet, while others of their tiers are at the limit."""
    asked = [one for tier in TIERS for one in history.exchanges(beyond_label(ANOTHER, tier))]
    refused = [one for one in asked if one.status == 429]
    if len(refused) < LEAST_TIERS:
        return passed("")
    expected = "200 for a user's first request while another user of the tier is at the limit"
    return failed(expected, f"429 in {len(refused)} of {len(asked)} tiers", refused[0].end)


def _count(tier: str, limit: int, asked: list[Exchange]) -> Verdict:
    """Judge how many requests of one user were let through at most."""
    start, end = asked[0].request.t, _end(asked)
    refilled = math.ceil(limit * (end - start) / WINDOW_SECONDS)
    most = math.floor(limit * MOST_SHARE) + refilled
    expected = f"about {limit} requests in a minute for the tier {tier}, on both instances together"
    actual = f"{_admitted(asked)} of {len(asked)} were let through in {end - start:.1f} s"
    return failed(expected, actual, asked[-1].end) if _admitted(asked) > most else passed("", asked[-1].end)


def _end(asked: list[Exchange]) -> float:
    return max(one.end.t for one in asked if one.end)


def _tells_when(answer: Answer, limit: int) -> Verdict:
    expected = "Retry-After of 1 to 60 s, and X-RateLimit-Limit, -Remaining and -Reset, with a 429"
    seconds = seconds_of(answer)
    said = answer.headers.get("retry-after", "none")
    if seconds is None or said.startswith("-") or not 0 <= seconds <= WINDOW_SECONDS + 1:
        return failed(expected, f"Retry-After: {said[:40]}", answer)
    if fault := _misleading(answer, limit):
        return fault
    if wrong := misfit(answer.body):
        return failed(f"{FORM}, with a 429", wrong, answer)
    return passed("", answer)


def _misleading(answer: Answer, limit: int) -> Verdict | None:
    """Return what is wrong with the headers that tell of a limit; None for nothing."""
    for name in ("limit", "remaining", "reset"):
        if f"x-ratelimit-{name}" not in answer.headers:
            return failed(
                "X-RateLimit-Limit, -Remaining and -Reset, with a 429",
                f"there is no X-RateLimit-{name.title()}",
                answer,
            )
    said = answer.headers["x-ratelimit-limit"]
    if _number(said) != limit:
        return failed(f"X-RateLimit-Limit: {limit}", f"X-RateLimit-Limit: {said[:40]}", answer)
    left = answer.headers["x-ratelimit-remaining"]
    if _number(left) != 0:
        return failed("X-RateLimit-Remaining: 0 with a 429", f"X-RateLimit-Remaining: {left[:40]}", answer)
    reset = answer.headers["x-ratelimit-reset"]
    if _NO_TIME.fullmatch(reset.strip()):
        return failed("a time in X-RateLimit-Reset", f"X-RateLimit-Reset: {reset[:40]}", answer)
    return None


def _number(text: str) -> float | None:
    """Return the number that a header begins with: `5`, `5.0` or, as drafts of the IETF have it, `5, 5;w=60`."""
    try:
        return float(text.replace(";", ",").partition(",")[0])
    except ValueError:
        return None


def _admitted(asked: list[Exchange]) -> int:
    return sum(one.status == 200 for one in asked)
