"""Judges which models the backend was asked for when requests met rules."""

from collections.abc import Sequence
from typing import Any

from chaos.history import Exchange, History
from exercises.project61.chat import model_called
from exercises.project61.part7_bonus.axes import CASES, KINDS
from exercises.project61.part7_bonus.plan import NOT_BUILT, ROUTES, given, limited
from lab.reading import outcome
from lab.verdict import Verdict, all_of, failed, in_short, passed

LABEL = "rule: "


def rules_choose_models(rules_and_spending: History) -> Verdict:
    history = rules_and_spending
    rules = given(history, ROUTES)
    requested = history.contract.ask.models[0] if history.contract.ask else ""
    cases = {name: history.exchanges(f"{LABEL}{name}")[0] for name in CASES.values}
    expected = {name: _expected(rules, case.rule, requested) for name, case in CASES.values.items()}
    routed = [name for name, case in CASES.values.items() if case.rule is not None]
    if all(cases[name].status == 200 and model_called(history, cases[name]) == requested for name in routed):
        return failed(
            f"the backend is asked for {expected[routed[0]]}, as the rule says",
            f"{NOT_BUILT}{len(routed)} requests that meet a rule of {ROUTES} went to the model that they named",
            cases[routed[0]].end,
        )
    verdicts = [_judge(history, name, one, expected[name]) for name, one in cases.items()]
    verdicts += [
        _fell_back(history, kind, one, rules[2])
        for kind in KINDS.values
        for one in history.exchanges(limited(kind))
    ]
    return in_short(all_of(verdicts), f"{len(cases)} requests went where the rules say, two to a fallback")


def _expected(rules: Sequence[Any], position: int | None, requested: str) -> str:
    return requested if position is None else str(rules[position]["model"])


def _judge(history: History, name: str, exchange: Exchange, expected: str) -> Verdict:
    model = model_called(history, exchange)
    told = f"the backend is asked for {expected} ({name})"
    if exchange.status != 200:
        return failed(told, outcome(exchange.end), exchange.end)
    if model != expected:
        return failed(told, f"it was asked for {model or 'nothing'}", exchange.end)
    return passed("", exchange.end)


def _fell_back(history: History, kind: str, exchange: Exchange, rule: dict[str, Any]) -> Verdict:
    expected = (
        f"200 by the fallback {rule['fallback']} while the backend answers 429 for {rule['model']} ({kind})"
    )
    if exchange.status != 200:
        return failed(expected, outcome(exchange.end), exchange.end)
    if (model := model_called(history, exchange)) != rule["fallback"]:
        return failed(expected, f"200 by {model or 'no model'}", exchange.end)
    return passed("", exchange.end)
