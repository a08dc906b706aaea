"""Judges what reached the backend of the parameters that were sent."""

from typing import Any

from chaos.history import Exchange, History
from exercises.project61.part1_functionality.axes import CONVERSATION, SENT
from exercises.project61.part1_functionality.parameters import changed, conversation
from lab.prompts import prompt
from lab.reading import as_json, excerpt, outcome
from lab.verdict import Verdict, all_of, failed, in_short, passed

LABEL = "parameters: "


def parameters_are_passed_on(requests: History) -> Verdict:
    sent = [one for one in requests.exchanges() if one.request.label.startswith(LABEL)]
    verdict = all_of(_passed_on(requests, one) for one in sent)
    return in_short(verdict, f"{len(sent)} requests reached the backend as they were sent")


def _passed_on(history: History, exchange: Exchange) -> Verdict:
    kind, key = exchange.request.label.removeprefix(LABEL), exchange.request.key or ""
    expected = f"the backend gets what was sent ({kind})"
    calls = history.calls(key=key)
    if not calls:
        return failed(expected, f"it got nothing: {outcome(exchange.end)}", exchange.end)
    asked = as_json(calls[0].call.asked)
    if not isinstance(asked, dict):
        return failed(expected, "it got no JSON object", calls[0].call)
    fields: dict[str, Any] = dict(SENT.values[kind])
    if kind == CONVERSATION:
        fields["messages"] = conversation(prompt(key))
    if wrong := changed(fields, asked):
        return failed(expected, excerpt(wrong), calls[0].call)
    if exchange.status != 200:
        return failed("an answer to it", outcome(exchange.end), exchange.end)
    return passed(kind, calls[0].call)
