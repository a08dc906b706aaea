"""The checks of part 5."""

from collections.abc import Iterator, Sequence
from typing import Any

from chaos.history import Answer, Began, Exchange, History
from chaos.keys import expected_answer
from exercises.assignment1 import plan
from exercises.assignment1.provider import asked_of, calls, reported_usage
from exercises.assignment1.tests_of_their_own import enough
from exercises.chat import id_checks, limit_checks
from exercises.chat.answer import answering, json_object, read
from exercises.chat.limit import ROUNDS
from lab.own_tests import Suite
from lab.reading import excerpt, outcome
from lab.verdict import Verdict, all_of, failed, in_short, passed

LEAST_TESTS = 5
REFUSED = {400, 422}
MONEY_SPENT = {402, 429}
LATENCY_SLACK_MS = 50.0
DEFAULT_TEMPERATURE, DEFAULT_MODEL = 0.7, "gpt-4o-mini"
HEALTH_SECONDS = 10.0
FAILING = {"failures", "hanging", "limits", "budget"}
"""The experiments in which the service refuses requests, or its provider fails."""
STATUSES = {
    "a body that is no JSON": {400, 422},
    "an empty body": {400, 422},
    "a list": {400, 422},
    "JSON as text/plain": {400, 415, 422},
    "a form": {400, 415, 422},
    "an unknown path": {404},
    "another method": {405},
    "a large body": {413},
    "a large body in chunks": {413},
}


def completes_end_to_end(requests: History) -> Verdict:
    [whole] = requests.exchanges("conversation")
    [plain] = requests.exchanges("defaults")
    verdicts = [_reached(requests, whole), _came_back(requests, whole), _defaults(requests, plain)]
    for other in requests.exchanges(f"conversation{plan.OF_THE_OTHER}"):
        verdicts += [_reached_the_other(requests, other), _text_came_back(other)]
    return all_of(verdicts)


def health_tells_the_provider(health: History) -> Verdict:
    stages = {
        "up": True,
        "refused": False,
        "up again": True,
        "hanging": False,
        "up after hanging": True,
        "answering 500": False,
        "up after 500": True,
    }
    for label, up in stages.items():
        asked = health.exchanges(label)
        expected = f"GET /health says that the provider is {'up' if up else 'not up'} ({label})"
        slow = [one for one in asked if one.end is None or one.end.elapsed > HEALTH_SECONDS]
        if slow:
            return failed(
                f"an answer within {HEALTH_SECONDS:.0f} s ({label})", outcome(slow[0].end), slow[0].end
            )
        if not plan.tells(asked[-1].end, up=up):
            return failed(expected, _told(asked[-1].end), asked[-1].end)
    last = health.exchanges("refused")[-1]
    return passed(
        f"up, refused, hanging, answering 500 and up again are told; refused: {_told(last.end)}", last.end
    )


def statuses_are_right(requests: History, run: Sequence[History]) -> Verdict:
    for label, statuses in STATUSES.items():
        for one in requests.exchanges(label):
            told = " or ".join(map(str, sorted(statuses)))
            if one.status not in statuses:
                return failed(
                    f"{told} for {label} ({one.request.method} {one.request.path})", outcome(one.end), one.end
                )
            assert isinstance(one.end, Answer)
            if json_object(one.end) is None:
                return _no_object(one.end, label)
    for history in _failing(run):
        for one in history.exchanges():
            if isinstance(one.end, Answer) and one.end.status >= 400 and json_object(one.end) is None:
                return _no_object(one.end, repr(one.request.label))
    return passed(
        f"{len(STATUSES)} kinds of wrong requests get their statuses",
        requests.exchanges("another method")[0].end,
    )


def request_ids(requests: History, run: Sequence[History]) -> Verdict:
    judged = (id_checks.present, id_checks.kept, id_checks.replaced, id_checks.unique)
    lacking = [verdict for verdict in map(id_checks.present, _failing(run)) if not verdict.passed]
    apart = id_checks.apart([requests, *_failing(run)])
    return all_of([*(judge(requests) for judge in judged), *lacking, apart])


def token_limit(limits: History) -> Verdict:
    [most], [more] = limits.exchanges("most tokens"), limits.exchanges("more tokens")
    if read(most.end) is None:
        return failed("as many tokens as MAX_TOKENS_PER_REQUEST are allowed", outcome(most.end), most.end)
    if more.status not in REFUSED:
        return failed(
            "400 or 422 for one token more than MAX_TOKENS_PER_REQUEST", outcome(more.end), more.end
        )
    for one in (more, *limits.exchanges("more tokens of a stream")):
        if calls(limits, one.request.key):
            return failed(f"the provider is not called for {one.request.label}", "it was called", one.end)
    return all_of([passed("the limit lies where it was set", more.end), _default_below(limits)])


def request_limit(limits: History) -> Verdict:
    allowed, window = len(limits.exchanges("allowed 1")), plan.window_of(limits)
    others = [one for number in ROUNDS for one in limits.exchanges(f"another address {number}")]
    for number in ROUNDS:
        for one in limits.exchanges(f"health {number}"):
            if one.status == 429:
                return failed("GET /health is not limited", outcome(one.end), one.end)
    refused = [one for one in limits.exchanges() if one.status == 429]
    verdict = all_of(
        [
            limit_checks.sequence(limits, allowed),
            limit_checks.served(others, "another address is served"),
            limit_checks.not_forged(limits),
            _streams_count(limits),
            *(limit_checks.not_called(limits, one) for one in refused),
            *(limit_checks.retry_after(one, window) for one in refused),
            limit_checks.crowd(limits, allowed),
            limit_checks.served(
                limits.exchanges("as told"), "an address that comes back after Retry-After is served"
            ),
            limit_checks.served(
                limits.exchanges("after the window"), "after the window an address is served again"
            ),
        ]
    )
    return in_short(
        limit_checks.in_time(limits, verdict, window / allowed),
        f"{allowed} requests of each address were answered in a window of {window} s, one by one and at once; "
        f"{len(refused)} others got 429 with a Retry-After, and the provider was not called",
    )


def daily_cost_limit(budget: History) -> Verdict:
    for one in [*budget.exchanges("cheap"), *budget.exchanges("spending")]:
        if read(one.end) is None:
            return failed("requests are answered until the day's money is spent", outcome(one.end), one.end)
    streamed = [
        model
        for label, model in plan.SPENDING_STREAMS.items()
        for one in budget.exchanges(label)
        if answering(calls(budget, one.request.key))
    ]
    for one in budget.exchanges("beyond"):
        if one.status not in MONEY_SPENT:
            how = f", a part of it by streams of {' and '.join(streamed)}" if streamed else ""
            return failed(f"402 or 429 once the day's money is spent{how}", outcome(one.end), one.end)
        if calls(budget, one.request.key):
            return failed("the provider is not called any more", "it was called", one.end)
    for one in budget.exchanges("stream beyond"):
        if made := calls(budget, one.request.key):
            return failed(
                "the provider is not called any more, for a stream neither",
                "it was called",
                made[0].call,
                one.end,
            )
    last = budget.exchanges("beyond")[-1]
    return passed(f"refused once the money was spent: {outcome(last.end)}", last.end)


def endpoints_are_tested(own_tests: History) -> Verdict:
    suite = Suite(own_tests)
    return enough(
        own_tests,
        suite,
        suite.requesting(),
        LEAST_TESTS,
        "send a request to the application and assert something",
    )


def _streams_count(limits: History) -> Verdict:
    """Judge that streams of an address beyond its limit are refused like any other request.

    If a window has ended meanwhile, or is about to be filled anew, a request after them is served.
    """
    asked = limits.exchanges("streams beyond")
    reached = [one for one in asked if calls(limits, one.request.key)]
    if len(reached) > 1 and all(one.status == 429 for one in limits.exchanges("after the streams")):
        return failed(
            "429 for streams beyond the limit", f"{len(reached)} reached the provider", reached[-1].end
        )
    return passed("streams are counted")


def _default_below(limits: History) -> Verdict:
    """Judge what a request without max_tokens asks for, if the usual default is more than the limit."""
    allowed = plan.token_limit_of(limits)
    for one in limits.exchanges("no max_tokens"):
        asked = _tokens(asked_of(limits, one.request.key))
        if read(one.end) is None or not isinstance(asked, int) or asked > allowed:
            return failed(
                f"a request without max_tokens asks for {allowed}: the limit is below {plan.DEFAULT_TOKENS}",
                f"the provider was asked for {asked}" if read(one.end) else outcome(one.end),
                one.end,
            )
    return passed("without max_tokens a request stays within it")


def _failing(run: Sequence[History]) -> Iterator[History]:
    """Yield those histories of a run in which errors are answered."""
    for history in run:
        began = history.first(Began)
        if began and began.experiment in FAILING and history.of(Answer):
            yield history


def _no_object(end: Answer, what: str) -> Verdict:
    shown = excerpt(end.body, 80) or "an empty body"
    return failed(f"a JSON object in the {end.status} for {what}", shown, end)


def _reached(requests: History, whole: Exchange) -> Verdict:
    """Judge what the provider got of a conversation with all parameters."""
    sent = plan.conversation_body(whole.request.key or "")
    got = asked_of(requests, whole.request.key)
    if not got:
        return failed("a call to the provider", f"none: {outcome(whole.end)}", whole.end)
    wanted: dict[str, Any] = {
        "model": sent["model"],
        "messages": sent["messages"],
        "temperature": sent["temperature"],
        "max_tokens": sent["max_tokens"],
    }
    seen = {
        "model": got.get("model"),
        "messages": _plain(got.get("messages")),
        "temperature": got.get("temperature"),
        "max_tokens": _tokens(got),
    }
    for name, value in wanted.items():
        if seen[name] != value:
            return failed(
                f"the provider gets {name} as it was sent",
                f"it got {excerpt(str(seen[name]), 120)}",
                whole.end,
            )
    return passed(f"the provider got {len(sent['messages'])} messages and the parameters", whole.end)


def _reached_the_other(requests: History, exchange: Exchange) -> Verdict:
    """Judge what the provider of Claude's models got. Anthropic's API has the system message in a field of its own."""
    sent = plan.conversation_body(exchange.request.key or "", plan.OTHER_PROVIDERS_MODEL)
    got = asked_of(requests, exchange.request.key)
    if not got:
        return failed("a call to the provider", f"none: {outcome(exchange.end)}", exchange.end)
    system = [{"role": "system", "content": got["system"]}] if got.get("system") else []
    messages = got.get("messages")
    seen = _plain([*system, *messages] if isinstance(messages, list) else messages)
    if seen != sent["messages"]:
        return failed(
            f"the provider of {sent['model']} gets the messages as they were sent",
            f"it got {excerpt(str(seen), 160)}",
            exchange.end,
        )
    if _tokens(got) != sent["max_tokens"]:
        return failed(
            f"the provider of {sent['model']} gets max_tokens as it was sent",
            f"it got {_tokens(got)}",
            exchange.end,
        )
    return passed(f"the provider of {sent['model']} got {len(sent['messages'])} messages", exchange.end)


def _came_back(requests: History, whole: Exchange) -> Verdict:
    if not (text := _text_came_back(whole)).passed:
        return text
    chat, usage = read(whole.end), reported_usage(requests, whole.request.key)
    assert chat
    assert whole.end
    if not chat.model.endswith(plan.OTHER_MODEL):
        return failed(f"the model that answered, {plan.OTHER_MODEL}", f"{chat.model!r}", whole.end)
    if usage and chat.usage != (*usage, sum(usage)):
        return failed(
            f"the usage that the provider reported, {usage[0]} and {usage[1]}", f"{chat.usage}", whole.end
        )
    latency = chat.fields.get("latency_ms")
    least, most = plan.DELAY * 1000 - LATENCY_SLACK_MS, whole.end.elapsed * 1000 + LATENCY_SLACK_MS
    if not isinstance(latency, int | float) or not least <= latency <= most:
        return failed(f"a latency_ms between {least:.0f} and {most:.0f}", f"{latency}", whole.end)
    return passed(f"content, model, usage and {latency:.0f} ms came back", whole.end)


def _text_came_back(exchange: Exchange) -> Verdict:
    """Judge the content of a completion."""
    chat = read(exchange.end)
    if chat is None:
        return failed("a completion", outcome(exchange.end), exchange.end)
    if chat.content.strip() != expected_answer(exchange.request.key or ""):
        return failed("the provider's text as the content", f"{excerpt(chat.content, 80)!r}", exchange.end)
    return passed("the provider's text came back", exchange.end)


def _defaults(requests: History, plain: Exchange) -> Verdict:
    got = asked_of(requests, plain.request.key)
    seen = (got.get("model"), got.get("temperature"), _tokens(got))
    if seen != (DEFAULT_MODEL, DEFAULT_TEMPERATURE, plan.DEFAULT_TOKENS):
        told = f"{DEFAULT_MODEL}, temperature {DEFAULT_TEMPERATURE} and {plan.DEFAULT_TOKENS} tokens for a request with only a message"
        return failed(told, f"the provider got {seen[0]}, {seen[1]} and {seen[2]}", plain.end)
    return passed("missing fields have their defaults", plain.end)


def _tokens(asked: dict[str, Any]) -> Any:
    """Return the token limit of a provider's call, by either of the names that OpenAI has for it."""
    return asked.get("max_tokens", asked.get("max_completion_tokens"))


def _plain(messages: Any) -> Any:
    """Return messages with contents as texts: a client may send a list of parts."""
    if not isinstance(messages, list):
        return messages
    return [
        {"role": one.get("role"), "content": _text(one.get("content"))} if isinstance(one, dict) else one
        for one in messages
    ]


def _text(content: Any) -> Any:
    if isinstance(content, list):
        return "".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return content


def _told(end: Any) -> str:
    return f"{end.status}: {excerpt(end.body, 100)}" if isinstance(end, Answer) else outcome(end)
