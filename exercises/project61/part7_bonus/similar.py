"""Judges which requests a semantic cache answers, and how it marks them."""

from collections.abc import Iterator

from chaos.history import Answer, Exchange, History
from chaos.keys import answer_code
from exercises.project61.part7_bonus.axes import EXPIRED, PARAPHRASE, SIMILAR
from exercises.project61.part7_bonus.plan import CACHE, KEPT_SECONDS, NOT_BUILT, given
from exercises.project61.part7_bonus.questions import QUESTIONS
from lab.reading import excerpt, outcome
from lab.timing import stalled, too_busy
from lab.verdict import Verdict, all_of, failed, in_short, passed

MARK = "x-cache"
_FRESH_SHARE = 0.8
"""Of the time to live, how late a paraphrase may be asked before the machine is blamed for a miss."""


def similar_questions_are_cached(paraphrases: History) -> Verdict:
    asked = [name for name in QUESTIONS.values if paraphrases.exchanges(f"{name}: asked")]
    for name in asked:
        if problem := _not_kept(paraphrases, name):
            return problem
    verdicts = [verdict for name in asked for verdict in _judge(paraphrases, name)]
    count = len(QUESTIONS.values)
    return in_short(all_of(verdicts), f"{count} paraphrases were answered from the cache, and nothing else")


def _not_kept(history: History, name: str) -> Verdict | None:
    """Return why a question was not answered without the backend when it was asked again; None if it was."""
    [asked] = history.exchanges(f"{name}: asked")
    again = history.exchanges(f"{name}: again")
    for one in (asked, *again):
        if one.status != 200:
            return failed("200", outcome(one.end), one.end)
    if not again or _called(history, again[-1]):
        disturbed = again and again[-1].end and stalled(history, asked.request.t, again[-1].end.t)
        if disturbed or _another_is_found(history, name, "again"):
            return too_busy("see what a cache keeps", (again or [asked])[-1].end)
        expected = f"a question that is asked again is answered from a cache within {KEPT_SECONDS:.0f} s"
        actual = f"{NOT_BUILT}with {CACHE} too, the backend is called every time"
        return failed(expected, actual, (again or [asked])[-1].end)
    return None


def _judge(history: History, name: str) -> Iterator[Verdict]:
    yield _hit(history, history.exchanges(f"{name}: again")[-1], "the same words")
    for change in SIMILAR.values:
        [exchange] = history.exchanges(f"{name}: {change}")
        if change == PARAPHRASE:
            yield _late(history, name, exchange) or _hit(history, exchange, change)
        else:
            yield _missed(history, exchange, change)


def _late(history: History, name: str, exchange: Exchange) -> Verdict | None:
    """Return that a paraphrase came too late, or that a cache may have been too late for it; None otherwise.

    A cache that does not answer in time is left out for a while by a right service. It has found the other paraphrase.
    """
    [asked] = history.exchanges(f"{name}: asked")
    begun = asked.request.t
    ended = exchange.end.t if exchange.end else begun
    late = (
        ended - begun > _FRESH_SHARE * given(history, CACHE)["ttl"]
        or stalled(history, begun, ended)
        or _another_is_found(history, name, PARAPHRASE)
    )
    return too_busy("ask again in time", exchange.end) if late and _called(history, exchange) else None


def _hit(history: History, exchange: Exchange, change: str) -> Verdict:
    expected = (
        f"the answer to the first question, without a call of the backend, with X-Cache: hit ({change})"
    )
    if not isinstance(exchange.end, Answer) or exchange.status != 200:
        return failed(expected, outcome(exchange.end), exchange.end)
    if _called(history, exchange):
        return failed(expected, "the backend was called", exchange.end)
    if answer_code(exchange.request.key or "") not in exchange.end.body:
        return failed(expected, "another answer", exchange.end)
    if not _marked(exchange.end):
        said = excerpt(exchange.end.headers.get(MARK, "none"), 40)
        return failed(expected, f"X-Cache: {said}", exchange.end)
    return passed("", exchange.end)


def _missed(history: History, exchange: Exchange, change: str) -> Verdict:
    told = "a paraphrase after the time to live" if change == EXPIRED else change
    expected = f"an answer of the backend's own, without X-Cache: hit ({told})"
    if not isinstance(exchange.end, Answer) or exchange.status != 200:
        return failed(expected, outcome(exchange.end), exchange.end)
    if not _called(history, exchange):
        return failed(expected, "the backend was not called", exchange.end)
    if _marked(exchange.end):
        return failed(expected, "X-Cache: hit", exchange.end)
    return passed("", exchange.end)


def _another_is_found(history: History, name: str, change: str) -> bool:
    """Whether another question, asked again in this way, was answered without the backend."""
    others = (history.exchanges(f"{other}: {change}") for other in QUESTIONS.values if other != name)
    return any(asked and not _called(history, asked[-1]) for asked in others)


def _marked(answer: Answer) -> bool:
    return answer.headers.get(MARK, "").strip().lower().startswith("hit")


def _called(history: History, exchange: Exchange) -> bool:
    """Whether the backend was called for a key while this request was under way; there is one at a time."""
    end = exchange.end.t if exchange.end else float("inf")
    calls = history.calls(key=exchange.request.key)
    return any(exchange.request.t <= call.call.t <= end for call in calls)
