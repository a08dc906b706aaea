"""The checks of part 4."""

import itertools
import re
from collections.abc import Iterator, Sequence
from math import inf

from chaos.history import Answer, Exchange, History, Log
from exercises.assignment1 import plan
from exercises.assignment1.part4_llm_service.pauses import grow, pauses
from exercises.assignment1.part4_llm_service.price_notes import is_noted
from exercises.assignment1.provider import calls, reported_usage
from exercises.chat.answer import near, read
from exercises.chat.prices import PRICES, Price
from lab.reading import outcome
from lab.timing import blame_stalls, blur, too_busy, undisturbed
from lab.verdict import Verdict, all_of, failed, not_judged, passed

MIN_CALLS, MAX_CALLS = 3, 4
SLACK = 2.0
"""Seconds beyond the limit within which an answer may arrive."""
EARLY = 0.15
LATE = 10.0
"""Seconds after which a service that goes from one rate limited model to the next may have run out of its own time."""
RATE_LIMITED, TIMED_OUT, FAILING, BAD_REQUEST = {429}, {504}, {502, 503}, {400}
LATE_LINE = 1.0
"""Seconds after its answer within which a line of a request's may be read."""
_NO_NOTES = {"content", "model"}
_DATE = re.compile(r"-(?:\d{4}-?\d\d-?\d\d|latest)$")
HANGING = tuple(f"{how}{whose}" for how in ("hangs", "drips") for whose in ("", plan.OF_THE_OTHER))
OWN_PROBLEM = {500, 502, 503}
"""What the provider's 401, 403 and 404 may end in: the caller can do nothing about them."""


def passing_failures_are_retried(failures: History) -> Verdict:
    passing = [one for one in failures.exchanges() if one.request.label.startswith("passing: ")]
    for one in passing:
        if read(one.end) is None:
            what = one.request.label.removeprefix("passing: ")
            seen = f"{outcome(one.end)}, after {len(calls(failures, one.request.key))} calls"
            return failed(f"a completion, though the provider fails first ({what})", seen, one.end)
    return passed(f"{len(passing)} requests were answered after failures that passed", passing[-1].end)


def pauses_grow(failures: History) -> Verdict:
    expected = f"{MIN_CALLS - 1} or {MAX_CALLS - 1} retries of a failure that stays, with pauses that grow"
    lasting = [one for name in plan.LASTING for one in failures.exchanges(f"lasting: {name}")]
    of_the_other = (failures.exchanges(f"lasting: {name}{plan.OF_THE_OTHER}") for name in plan.LASTING)
    for one in itertools.chain(lasting, *of_the_other):
        if wrong := _wrong_number(failures, one, expected):
            return wrong
    measured = [pauses(_first_model(failures, one)) for one in lasting]
    if any(blur(failures, one.request.t, one.end.t if one.end else one.request.t) for one in lasting):
        return too_busy("time the pauses", lasting[0].end)
    if fault := grow(measured, plan.FIRST_PAUSE):
        return failed(expected, fault, lasting[0].end)
    return all_of(
        [
            passed(f"pauses of {_told(measured[0])} s", lasting[0].end),
            *(
                _waits_as_told(failures, label)
                for label in ("asked to wait", f"asked to wait{plan.OF_THE_OTHER}")
            ),
            _refused_connections_are_retried(failures),
        ]
    )


def refusals_are_final(failures: History) -> Verdict:
    reached = 0
    refused = [one for one in failures.exchanges() if one.request.label.startswith("refused: ")]
    for one in refused:
        made = calls(failures, one.request.key)
        reached += len(made)
        if len(made) > 1:
            code = one.request.label.removeprefix("refused: ")
            return failed(f"one call for a {code}", f"{len(made)} calls", made[1].call, one.end)
    if not reached:
        return not_judged("no request reached the refusing provider", refused[0].end, blame="submission")
    return passed(f"{reached} refused calls, none of them repeated", refused[-1].end)


def errors_are_told_apart(failures: History, hanging: History) -> Verdict:
    wanted = {
        "lasting: 429": RATE_LIMITED,
        "lasting: 500": FAILING,
        "lasting: 503": FAILING,
        "lasting: broken connection": FAILING,
        plan.REFUSED_CONNECTION: FAILING,
        "refused: 400": BAD_REQUEST,
        **{f"refused: {code}": OWN_PROBLEM for code in plan.FINAL if code != 400},
    }
    wanted |= {f"rubbish: {name}": FAILING for name in plan.RUBBISH}
    wanted |= {f"{label}{plan.OF_THE_OTHER}": statuses for label, statuses in wanted.items()}
    for label, statuses in wanted.items():
        for one in failures.exchanges(label):
            if one.status not in statuses:
                return failed(
                    f"{_either(statuses)} ({label.replace(': ', ' ')} of the provider)",
                    outcome(one.end),
                    one.end,
                )
    for one in _hung(hanging):
        if one.status not in TIMED_OUT:
            return failed(f"504 if the provider {one.request.label}", outcome(one.end), one.end)
    return passed(
        "429, 504, 502 or 503 and 400, each for its own failure", failures.exchanges("lasting: 429")[0].end
    )


def hanging_is_given_up(hanging: History) -> Verdict:
    expected = f"an answer within {plan.GIVE_UP_SECONDS:.0f} s"
    limit = plan.GIVE_UP_SECONDS + SLACK
    for one in [*_hung(hanging), *hanging.exchanges(plan.ASKED_TO_WAIT_LONG)]:
        if one.end is None or one.end.elapsed > limit or not isinstance(one.end, Answer):
            if one.end and one.end.elapsed > limit:
                stalls = blame_stalls(undisturbed(hanging, one), limit, "answer", one.end)
                if stalls:
                    return stalls
            return failed(f"{expected} while the provider {one.request.label}", outcome(one.end), one.end)
    for one in [*hanging.exchanges("meanwhile"), *hanging.exchanges("after")]:
        if read(one.end) is None:
            return failed(
                "other requests are answered as usual", f"{one.request.label}: {outcome(one.end)}", one.end
            )
    [hangs] = hanging.exchanges("hangs")
    return passed(f"given up: {outcome(hangs.end)}", hangs.end)


def cost_is_right(requests: History) -> Verdict:
    verdicts = []
    for model, price in PRICES.items():
        for one in requests.exchanges(f"priced: {model}"):
            chat, usage = read(one.end), reported_usage(requests, one.request.key)
            if chat is None or usage is None:
                return failed(f"a completion of {model}, with its cost", outcome(one.end), one.end)
            right = price.cost(*usage)
            expected = f"{right:.6f} USD for {usage[0]} input and {usage[1]} output tokens of {model}"
            if not near(chat.cost, right):
                return failed(expected, f"a cost of {chat.cost}", one.end)
            verdicts.append(passed(f"{model} {chat.cost:.4f} USD", one.end))
    return all_of([verdicts[0], _unknown_price(requests)])


def falls_back(failures: History) -> Verdict:
    [one] = failures.exchanges("fallback")
    expected = f"another model's answer while {plan.LIMITED_MODEL} stays rate limited"
    asked = [call.call.model for call in calls(failures, one.request.key)]
    chat = read(one.end)
    if chat is None:
        return failed(
            expected,
            f"{outcome(one.end)}, after calls to {', '.join(map(str, asked)) or 'no model'}",
            one.end,
        )
    answering = asked[-1] if asked else None
    if not answering or not (chat.names(answering) or chat.names(_undated(answering))):
        return failed(f"the model that answered, {answering}", f"the answer names {chat.model!r}", one.end)
    usage, price = reported_usage(failures, one.request.key), _price(answering)
    if usage and price and not near(chat.cost, price.cost(*usage)):
        expected = f"a cost of {price.cost(*usage):.6f} USD, of {answering}"
        return failed(expected, f"a cost of {chat.cost}", one.end)
    for limited in failures.exchanges("all limited"):
        late = limited.end is not None and limited.end.elapsed > LATE
        if limited.status not in (RATE_LIMITED | TIMED_OUT if late else RATE_LIMITED):
            return failed("429 if every model is rate limited", outcome(limited.end), limited.end)
    return passed(f"{chat.model} answered", one.end)


def _unknown_price(requests: History) -> Verdict:
    """Judge that a model without a price costs nothing known: null, or 0 with a word about it."""
    unknown = [one for one in requests.exchanges() if one.request.label.startswith(f"priced: {plan.UNKNOWN}")]
    priced = [one for model in PRICES for one in requests.exchanges(f"priced: {model}")]
    usual = list(_said(requests, priced, before=unknown[0].request.t))
    for one in unknown:
        expected = "a cost of null for a model without a price, or 0 with a note that the price is unknown"
        chat = read(one.end)
        if chat is None:
            return failed(expected, outcome(one.end), one.end)
        if not chat.has_cost:
            return failed(expected, "the answer has no cost at all", one.end)
        if chat.cost is not None and not (chat.cost == 0 and is_noted(_said(requests, [one]), usual)):
            return failed(
                expected,
                f"a cost of {chat.cost:g}" + (", without a note" if not chat.cost else ""),
                one.end,
            )
    return passed("unknown prices are reported as unknown", unknown[0].end)


def _said(requests: History, exchanges: Sequence[Exchange], *, before: float = inf) -> Iterator[str]:
    """Yield what the service says of requests: the fields of its answers, and the lines of its log meanwhile."""
    for one in exchanges:
        if chat := read(one.end):
            yield from (f"{name} {value}" for name, value in chat.fields.items() if name not in _NO_NOTES)
        ended = one.end.t if one.end else one.request.t
        lines = requests.instance().of(Log)
        yield from (
            line.text for line in lines if one.request.t <= line.t <= ended + LATE_LINE and line.t < before
        )


def _waits_as_told(failures: History, label: str) -> Verdict:
    [one] = failures.exchanges(label)
    made = calls(failures, one.request.key)
    expected = f"a retry {plan.RETRY_AFTER} s after a 429 that asks for it"
    model = f" of {plan.OTHER_PROVIDERS_MODEL}" if label.endswith(plan.OF_THE_OTHER) else ""
    if len(made) < 2 or read(one.end) is None:
        return failed(expected, f"{len(made)} calls{model}: {outcome(one.end)}", one.end)
    [pause, *_] = pauses([one.call.t for one in made])
    if pause < plan.RETRY_AFTER - EARLY:
        return failed(expected, f"a retry{model} after {pause:.2f} s", made[1].call)
    return passed(f"Retry-After of {plan.RETRY_AFTER} s{model}: {pause:.2f} s", made[1].call)


def _refused_connections_are_retried(failures: History) -> Verdict:
    """Judge by the time that it takes: nobody sees the calls that are refused."""
    refused = failures.exchanges(plan.REFUSED_CONNECTION)
    paused = [one for one in refused if one.end is None or one.end.elapsed >= plan.FIRST_PAUSE]
    if refused and len(paused) < plan.PAUSED_SAMPLES:
        return failed(
            f"retries of a refused connection, with {plan.FIRST_PAUSE} s before the first at least",
            f"{outcome(refused[-1].end)}; {len(refused) - len(paused)} of {len(refused)} answers came sooner",
            refused[-1].end,
        )
    return passed("a refused connection is tried again", *(one.end for one in refused[:1]))


def _hung(hanging: History) -> list[Exchange]:
    """Return the requests that the provider took and never answered."""
    return [one for label in HANGING for one in hanging.exchanges(label)]


def _wrong_number(failures: History, exchange: Exchange, expected: str) -> Verdict | None:
    """Return that the first model was called too seldom or too often; None if it was not."""
    made = len(_first_model(failures, exchange))
    if MIN_CALLS <= made <= MAX_CALLS:
        return None
    return failed(expected, f"{made} calls ({exchange.request.label})", exchange.end)


def _first_model(failures: History, exchange: Exchange) -> list[float]:
    """Return when the first model that was asked was called: a fallback's calls are counted for themselves."""
    made = calls(failures, exchange.request.key)
    return [one.call.t for one in made if one.call.model == made[0].call.model]


def _told(measured: list[float]) -> str:
    return ", ".join(f"{pause:.2f}" for pause in measured)


def _either(statuses: set[int]) -> str:
    return " or ".join(map(str, sorted(statuses)))


def _undated(model: str) -> str:
    """Return a model's name without the date, or `-latest`, that a provider's API has at its end."""
    return _DATE.sub("", model)


def _price(model: str) -> Price | None:
    """Return the price of a model, whose name may go on with a date."""
    known = [name for name in PRICES if model.startswith(name)]
    return PRICES[max(known, key=len)] if known else None
