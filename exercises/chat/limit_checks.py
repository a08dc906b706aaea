"""Judges a limit of requests on recorded answers, for every assessment that asks for one."""

from collections.abc import Callable, Sequence

from chaos.history import Answer, Exchange, History
from exercises.chat.answer import read
from exercises.chat.limit import ROUNDS
from lab.reading import excerpt, outcome
from lab.retry_after import seconds_of
from lab.timing import too_busy
from lab.verdict import Verdict, all_of, failed, in_short, passed


def sequence(history: History, allowed: int) -> Verdict:
    """Judge that as many requests of an address as allowed are answered, and the next ones are refused."""
    expected = f"{allowed} requests of an address are answered"
    return _either_round(
        lambda number: in_short(
            all_of(
                [
                    served(history.exchanges(f"allowed {number}"), expected),
                    *(
                        refused(one, f"more than {allowed} requests of an address")
                        for one in history.exchanges(f"beyond {number}")
                    ),
                ]
            ),
            f"{allowed} requests of an address were answered, the next ones were 429",
        )
    )


def about(history: History, allowed: int) -> Verdict:
    """Judge that an address has as many answers as allowed, or one more or less: `sequence` judges whether that is right."""
    return _either_round(lambda number: _about(history, allowed, number))


def crowd(history: History, allowed: int) -> Verdict:
    """Judge that of requests at once exactly `allowed` are answered, and the others refused."""
    return _either_round(lambda number: _crowd(history.exchanges(f"at once {number}"), allowed))


def not_forged(history: History) -> Verdict:
    """Judge that requests are counted by the connection's address, whatever the headers say."""
    return _either_round(
        lambda number: all_of(
            refused(one, f"one more with {', '.join(one.request.headers)[:60]}")
            for one in history.exchanges(f"forged {number}")
        )
    )


def _about(history: History, allowed: int, number: int) -> Verdict:
    asked = [one for label in ("allowed", "beyond") for one in history.exchanges(f"{label} {number}")]
    answered = sum(read(one.end) is not None for one in asked)
    if abs(answered - allowed) > 1:
        expected = f"{allowed} requests of an address are answered, and then no more"
        return failed(expected, f"{answered} of {len(asked)} were answered", asked[-1].end)
    return passed(f"{answered} requests of an address were answered", asked[-1].end)


def _either_round(judge: Callable[[int], Verdict]) -> Verdict:
    """Judge each round, and return the better verdict: a fixed window can end in the middle of one."""
    verdicts = [judge(number) for number in ROUNDS]
    return next((one for one in verdicts if one.passed), verdicts[0])


def in_time(history: History, verdict: Verdict, seconds: float) -> Verdict:
    """Return a verdict, unless it is a failure and a round took longer than `seconds`: then the machine was too busy.

    A bucket has room for one more request after a share of the window, and a right service lets it through.
    """
    rounds = [_seconds(history, f"allowed {number}", f"forged {number}") for number in ROUNDS]
    crowds = [_seconds(history, f"at once {number}", f"at once {number}") for number in ROUNDS]
    if verdict.passed or max(*rounds, *crowds) <= seconds:
        return verdict
    return too_busy("send the requests of one window", history.exchanges(f"forged {ROUNDS[-1]}")[-1].end)


def _seconds(history: History, first: str, last: str) -> float:
    """Return the seconds from the first request with one label to the last one with another."""
    return history.exchanges(last)[-1].request.t - history.exchanges(first)[0].request.t


def served(exchanges: Sequence[Exchange], expected: str) -> Verdict:
    """Judge that all of these were answered by a completion."""
    for one in exchanges:
        if read(one.end) is None:
            return failed(f"{expected} ({one.request.label})", outcome(one.end), one.end)
    return passed(f"{len(exchanges)} requests were answered", exchanges[-1].end if exchanges else None)


def refused(one: Exchange, what: str) -> Verdict:
    """Judge that a request was answered 429."""
    if one.status != 429:
        return failed(f"429 for {what}", outcome(one.end), one.end)
    return passed(f"429 for {what}", one.end)


def retry_after(one: Exchange, window: float) -> Verdict:
    """Judge that a refusal says when to come back: from 1 second to the length of the window."""
    assert isinstance(one.end, Answer)
    told = seconds_of(one.end)
    if told is None or not 0 < told <= window + 1:
        header = one.end.headers.get("retry-after", "none")
        return failed(
            f"a Retry-After of 1 to {window:g} seconds", f"Retry-After: {excerpt(header, 40)}", one.end
        )
    return passed(f"Retry-After {told:g}", one.end)


def not_called(history: History, one: Exchange) -> Verdict:
    """Judge that no upstream was called for a request."""
    made = [
        event for name in history.contract.upstreams for event in history.calls(name, key=one.request.key)
    ]
    if made:
        return failed(
            "the provider is not called for a refused request", "it was called", made[0].call, one.end
        )
    return passed("the provider was not called", one.end)


def _crowd(exchanges: Sequence[Exchange], allowed: int) -> Verdict:
    answered = [one for one in exchanges if read(one.end)]
    others = [one for one in exchanges if one.status == 429]
    expected = f"{allowed} of {len(exchanges)} requests at once are answered, the others 429"
    if len(answered) != allowed or len(answered) + len(others) != len(exchanges):
        odd = next(
            (one for one in exchanges if one.status not in {200, 429}),
            answered[-1] if answered else exchanges[-1],
        )
        return failed(expected, f"{len(answered)} were answered, {len(others)} were 429", odd.end)
    return passed(f"{allowed} of {len(exchanges)} requests at once were answered", others[0].end)
