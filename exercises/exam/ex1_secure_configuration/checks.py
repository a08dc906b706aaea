"""The checks of exercise 1. Each judges recorded histories alone; its parameters name the experiments."""

from collections.abc import Sequence

from chaos.history import Answer, Call, Event, Exchange, History, Log
from exercises.exam.ex1_secure_configuration import starts
from exercises.exam.ex1_secure_configuration.env_example import env_example_is_complete
from exercises.exam.ex1_secure_configuration.forgeries import EXPIRED
from exercises.exam.ex1_secure_configuration.origin_checks import cors_is_an_allow_list
from exercises.exam.ex1_secure_configuration.refusal_checks import (
    needs_its_key,
    refuses_insecure_keys,
    refuses_longer_variants_of_well_known_keys,
    refuses_malformed_values,
)
from lab import tokens
from lab.reading import outcome
from lab.secrets_leak import Leaks
from lab.verdict import Verdict, all_of, failed, in_short, not_judged, passed

__all__ = [
    "cors_is_an_allow_list",
    "env_example_is_complete",
    "needs_its_key",
    "refuses_insecure_keys",
    "refuses_longer_variants_of_well_known_keys",
    "refuses_malformed_values",
    "rejects_forged_tokens",
    "shows_secrets_nowhere",
]

_REAL = "real token"
_FORGED, _MISSING, _WRONG = "forged: ", "no token: ", "wrong login: "
_ABSENT = {404, 405, 501}
"""How a service answers a real token on an endpoint that it does not have."""


def rejects_forged_tokens(exposed: History) -> Verdict:
    real = [one for one in exposed.exchanges() if one.request.label.startswith(_REAL)]
    for one in real:
        if one.request.label in {_REAL, f"{_REAL}: user"} and one.status != 200:
            expected = f"GET {one.request.path} answers 200 to the token of a login ({one.request.label})"
            return failed(expected, outcome(one.end), one.end)
        if one.status == 401:
            expected = f"{_asked(one)} accepts the token of a login"
            return failed(expected, outcome(one.end), one.end)
    absent = {_place(one) for one in real if one.status in _ABSENT}
    tried = [
        one
        for one in exposed.exchanges()
        if one.request.label.startswith((_FORGED, _MISSING)) and _place(one) not in absent
    ]
    called = {call.key for call in exposed.of(Call) if call.counted}
    verdicts = [_turned_away(exposed, one, called) for one in tried]
    verdicts += [_no_token(one) for one in exposed.exchanges() if one.request.label.startswith(_WRONG)]
    if not any(one.request.label == f"{_FORGED}{EXPIRED}" for one in tried):
        key = starts.key_variable(exposed.contract)
        reason = f"tokens are not signed (HS256) with {key}, so no expired one could be made"
        verdicts.append(not_judged(reason, real[0].end if real else None, blame="submission"))
    kinds = len({one.request.label for one in tried})
    places = len({_place(one) for one in tried})
    return in_short(
        all_of(verdicts), f"{len(tried)} requests of {kinds} kinds to {places} endpoints turned away"
    )


def shows_secrets_nowhere(exposed: History, run: Sequence[History]) -> Verdict:
    expected = "no secret or password in any output, page or error body"
    looked = 0
    for history in {id(one): one for one in (exposed, *run)}.values():
        leaks = Leaks([history])
        for event in history.events:
            if text := _shown(event):
                looked += 1
                if name := leaks.find(text):
                    return failed(expected, f"{name} appears in {_told(event)}", event)
    return passed(f"none in {looked} lines and answers")


def _turned_away(history: History, exchange: Exchange, called: set[str | None]) -> Verdict:
    """Judge the answer to a request without a token that is good."""
    label = exchange.request.label
    right = {401, 403} if label.startswith(_MISSING) else {401}
    if exchange.status == 429:
        return not_judged(f"a rate limit came before the token ({label})", exchange.end, blame="submission")
    # Only a prompt that nobody asked before has a key of its own here.
    ask = history.contract.ask
    known = (
        ", for a prompt asked before"
        if ask and exchange.request.path == ask.path and not exchange.request.key
        else ""
    )
    expected = f"{' or '.join(map(str, sorted(right)))} from {_asked(exchange)} ({label}{known})"
    if exchange.status not in right:
        return failed(expected, outcome(exchange.end), exchange.end)
    if exchange.request.key and exchange.request.key in called:
        return failed(expected, "that answer, but the model was called", exchange.end)
    return passed(label, exchange.end)


def _no_token(exchange: Exchange) -> Verdict:
    label = exchange.request.label
    if exchange.status is not None and 200 <= exchange.status < 300:
        return failed(f"no token from {_asked(exchange)} ({label})", outcome(exchange.end), exchange.end)
    return passed(label, exchange.end)


def _asked(exchange: Exchange) -> str:
    return f"{exchange.request.method} {exchange.request.path}"


def _place(exchange: Exchange) -> tuple[str, str]:
    return exchange.request.method, exchange.request.path


def _shown(event: Event) -> str:
    match event:
        case Log():
            return event.text
        case Answer():
            return "\n".join([event.body, *event.headers.values(), *tokens.legible_parts(event.body)])
        case Call():
            return event.asked
        case _:
            return ""


def _told(event: Event) -> str:
    match event:
        case Log():
            return f"a line of {event.stream} ({event.instance})"
        case Answer():
            return f"a {event.status} answer"
        case Call():
            return f"a request to {event.upstream}"
        case _:
            return "an event"
