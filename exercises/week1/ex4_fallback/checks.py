"""The checks of exercise 4."""

from chaos.history import Exchange, History
from chaos.keys import answer_code
from exercises.chat.answer import Chat, answering, near, read
from exercises.chat.prices import PRICES
from exercises.week1.ex4_fallback.experiments import BACK_SECONDS, PRIMARY, SECONDARY
from lab.reading import outcome
from lab.verdict import Verdict, all_of, failed, not_judged, passed

STATUSES = {
    "400": range(400, 500),
    "500": range(500, 600),
    "503": range(500, 600),
    "broken connection": range(500, 600),
}
"""What a failure is answered with: the caller's stays the caller's, the provider's the provider's."""


def falls_back(fallback: History) -> Verdict:
    return all_of(_answered_by(fallback, one, SECONDARY) for one in fallback.exchanges("limited"))


def names_the_model(fallback: History) -> Verdict:
    answers = _answers(fallback)
    for one, chat in answers:
        asked = _last_model(fallback, one)
        if not chat.names(asked):
            return failed(
                f"{asked}, which answered ({one.request.label})", f"model is {chat.model!r}", one.end
            )
    if not any(one.request.label == "limited" for one, _ in answers):
        return not_judged("no fallback has answered", blame="submission")
    for one in fallback.exchanges("usual"):
        if '"model"' not in one.request.body and (asked := _last_model(fallback, one)) not in {"", PRIMARY}:
            return failed(f"{PRIMARY} for a request that names no model", f"{asked} was called", one.end)
    return passed(f"{len(answers)} answers name their model", answers[-1][0].end)


def cost_of_the_answering_model(fallback: History) -> Verdict:
    answers = _answers(fallback)
    for one, chat in answers:
        model, usage = _last_model(fallback, one), _usage(fallback, one)
        if model not in PRICES or usage is None:
            continue
        right = PRICES[model].cost(*usage)
        if not near(chat.cost, right):
            expected = f"{right:.6f} USD for {usage[0]} input and {usage[1]} output tokens of {model}"
            return failed(expected, f"a cost of {chat.cost} ({one.request.label})", one.end)
    if not any(one.request.label == "limited" for one, _ in answers):
        return not_judged("no fallback has answered", blame="submission")
    return passed(f"the cost of {len(answers)} answers is right", answers[-1][0].end)


def other_failures_stay(fallback: History) -> Verdict:
    failing = [one for one in fallback.exchanges() if one.request.label.startswith("failing: ")]
    if not any(read(one.end) for one in fallback.exchanges("limited")):
        return not_judged("the service never falls back", failing[0].end, blame="submission")
    for one in failing:
        what = one.request.label.removeprefix("failing: ")
        others = [made.call for made in fallback.calls(key=one.request.key) if made.call.model != PRIMARY]
        if others:
            return failed(
                f"{SECONDARY} is not called if {PRIMARY} fails otherwise ({what})",
                f"{others[0].model} was called",
                others[0],
                one.end,
            )
        statuses = STATUSES.get(what, range(400, 600))
        if one.status not in statuses:
            return failed(
                f"a status from {statuses.start} to {statuses.stop - 1} if {PRIMARY} fails ({what})",
                outcome(one.end),
                one.end,
            )
    return passed(f"{len(failing)} other failures stay failures", failing[-1].end)


def comes_back(fallback: History) -> Verdict:
    last = fallback.exchanges("back")[-1]
    [both] = fallback.exchanges("both limited")
    if not any(read(one.end) for one in fallback.exchanges("limited")):
        return not_judged("the service never falls back", last.end, blame="submission")
    back = _answered_by(fallback, last, PRIMARY)
    if not back.passed:
        return failed(f"{PRIMARY} answers again within {BACK_SECONDS:.0f} s", back.actual, last.end)
    if both.status != 429:
        return failed("429 if both models are rate limited", outcome(both.end), both.end)
    return passed(f"{PRIMARY} answers again; with both rate limited the answer is 429", last.end)


def _answered_by(fallback: History, one: Exchange, model: str) -> Verdict:
    expected = f"the answer of {model} ({one.request.label})"
    chat = read(one.end)
    if chat is None:
        return failed(expected, outcome(one.end), one.end)
    if answer_code(one.request.key or "") not in chat.content:
        return failed(expected, "a content that is not the model's", one.end)
    if _last_model(fallback, one) != model:
        return failed(expected, f"{_last_model(fallback, one)} answered", one.end)
    return passed(f"{model} answered", one.end)


def _answers(fallback: History) -> list[tuple[Exchange, Chat]]:
    labels = ("usual", "limited", "back")
    return [(one, chat) for label in labels for one in fallback.exchanges(label) if (chat := read(one.end))]


def _last_model(fallback: History, one: Exchange) -> str:
    call = answering(fallback.calls(key=one.request.key))
    return (call.call.model or "") if call else ""


def _usage(fallback: History, one: Exchange) -> tuple[int, int] | None:
    call = answering(fallback.calls(key=one.request.key))
    return call.reply.usage if call and call.reply else None
