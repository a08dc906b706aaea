"""The checks of part 3."""

import json
import re
from collections.abc import Iterator
from typing import Any

from chaos.history import Answer, Exchange, History
from exercises.assignment1 import bounds, plan
from exercises.assignment1.provider import reported_usage
from exercises.assignment1.tests_of_their_own import enough
from exercises.chat.answer import json_object, read
from lab.own_tests import Suite
from lab.reading import excerpt, outcome
from lab.verdict import Verdict, failed, not_judged, passed

REFUSED = 422
LEAST_TESTS = 5
LEAST_WORDS = 2
LEAST_REASONS = 4
"""So many reasons there are at least for what is refused: too short, too long, another type, missing."""

_WORD = re.compile(r"[^\W\d_]{2,}")
_PLACES = {"body", "messages", "role", "content", "temperature", "max", "tokens", "max_tokens"}
_ECHOES = {"input", "body", "received", "value"}
"""What the member may be called that repeats of the request what is wrong with it."""
_ASIDE = {"ctx", "url"}
_QUOTES = re.compile(r"[\s\"']+")
_ALIKE = 500
"""So many characters tell whether a text is what was sent."""


def bounds_are_enforced(requests: History) -> Verdict:
    outside = _outside(requests)
    for one in outside:
        if one.status != REFUSED:
            return failed(f"{REFUSED} for {bounds.what_of(one.request.label)}", outcome(one.end), one.end)
    return passed(f"{len(outside)} bodies that break one bound each are answered {REFUSED}", outside[-1].end)


def bounds_are_exact(requests: History) -> Verdict:
    inside = [one for one in requests.exchanges() if one.request.label.startswith(bounds.INSIDE)]
    for one in inside:
        if read(one.end) is None:
            return failed(f"a completion for {bounds.what_of(one.request.label)}", outcome(one.end), one.end)
    return passed(f"{len(inside)} bodies just inside a bound are answered", inside[-1].end)


def conversations_begin_right(requests: History) -> Verdict:
    [assistant] = requests.exchanges("begins with the assistant")
    if assistant.status != REFUSED:
        return failed(
            f"{REFUSED} for a conversation that begins with the assistant",
            outcome(assistant.end),
            assistant.end,
        )
    for role in ("user", "system"):
        [good] = requests.exchanges(f"begins with the {role}")
        if read(good.end) is None:
            return failed(
                f"a completion for a conversation that begins with the {role}", outcome(good.end), good.end
            )
    return passed("system and user may begin, the assistant may not", assistant.end)


def own_rule_holds(requests: History) -> Verdict:
    expected = 'the first example below README.md\'s "Conversation rule" is accepted, the second one refused with 422'
    if not plan.own_rule(requests):
        readme = requests.file("README.md")
        return failed(expected, plan.own_rule_lacks(requests), readme)
    [accepted], [refused] = (requests.exchanges(f"own rule: {name}") for name in ("accepted", "refused"))
    if read(accepted.end) is None:
        return failed(expected, f"the first example: {outcome(accepted.end)}", accepted.end)
    if refused.status != REFUSED:
        return failed(expected, f"the second example: {outcome(refused.end)}", refused.end)
    if breach := bounds.breach(plan.own_rule(requests)["refused"]):
        return failed(
            "a second example that only your rule refuses",
            f"the contract refuses it too: {breach}",
            refused.end,
        )
    return passed("the documented rule holds", refused.end)


def errors_name_the_field(requests: History) -> Verdict:
    judged = [one for one in _outside(requests) if one.status == REFUSED]
    if not judged:
        return failed("a 422 that says what is wrong", "nothing was refused with 422")
    reasons: set[frozenset[str]] = set()
    for one in judged:
        assert isinstance(one.end, Answer)
        field = bounds.field_of(one.request.label)
        texts = list(_texts(json_object(one.end), _unquoted(one.request.body)))
        shown = excerpt(one.end.body, 120)
        if not any(_names(text, field) for text in texts):
            return failed(
                f"{bounds.what_of(one.request.label)}: an error that names {field}",
                f"it says {shown}",
                one.end,
            )
        if not (told := _reasons(texts)):
            return failed(
                f"{bounds.what_of(one.request.label)}: an error that says why, in words",
                f"it says {shown}",
                one.end,
            )
        reasons |= told
    if len(reasons) < LEAST_REASONS:
        expected = (
            f"what is wrong, in words: {len(judged)} bodies are refused for {LEAST_REASONS} reasons at least"
        )
        return failed(expected, f"there are {len(reasons)} different texts", judged[0].end)
    return passed(f"{len(judged)} refusals name their field and say why", judged[-1].end)


def usage_is_the_providers(requests: History) -> Verdict:
    asked = [
        one
        for one in requests.exchanges()
        if one.request.label.startswith("priced: ") or one.request.label == "conversation"
    ]
    answered = [(one, chat) for one in asked if (chat := read(one.end))]
    if not answered:
        return not_judged(
            f"no completion to look at: {outcome(asked[0].end)}", asked[0].end, blame="submission"
        )
    for one, chat in answered:
        reported = reported_usage(requests, one.request.key)
        if reported and chat.usage != (*reported, sum(reported)):
            expected = f"{reported[0]} input, {reported[1]} output and {sum(reported)} total tokens, as the provider reported"
            return failed(expected, f"usage {chat.usage[0]}, {chat.usage[1]} and {chat.usage[2]}", one.end)
    return passed(f"the usage of {len(answered)} answers is the provider's", answered[-1][0].end)


def models_are_tested(own_tests: History) -> Verdict:
    suite = Suite(own_tests)
    return enough(
        own_tests,
        suite,
        suite.using("src.models"),
        LEAST_TESTS,
        "use something from src.models and assert something",
    )


def _outside(requests: History) -> list[Exchange]:
    return [one for one in requests.exchanges() if one.request.label.startswith(bounds.OUTSIDE)]


def _texts(value: Any, sent: str, depth: int = 0) -> Iterator[str]:
    """Yield the keys and texts of an error, without what it repeats of the request, `sent`."""
    if depth > 8:
        return
    if isinstance(value, dict):
        for name, one in value.items():
            yield str(name)
            known = str(name).lower()
            if known not in _ASIDE and not (known in _ECHOES and _repeats(one, sent)):
                yield from _texts(one, sent, depth + 1)
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one, sent, depth + 1)
    elif isinstance(value, str):
        yield value


def _repeats(value: Any, sent: str) -> bool:
    """Whether a value is a part of what was sent, or a text that has all of it: as JSON, or as Python shows it."""
    told = _unquoted(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
    return told[:_ALIKE] in sent or sent[:_ALIKE] in told


def _unquoted(text: str) -> str:
    return _QUOTES.sub("", text)


def _reasons(texts: list[str]) -> set[frozenset[str]]:
    """Return the words of each sentence, without the names of fields, which say where and not why."""
    sentences = (text for text in texts if " " in text.strip())
    found = (frozenset(word.lower() for word in _WORD.findall(text)) - _PLACES for text in sentences)
    return {words for words in found if len(words) >= LEAST_WORDS}


def _names(text: str, field: str) -> bool:
    return re.search(rf"(?<![A-Za-z]){field}(?![A-Za-z])", text, re.IGNORECASE) is not None
