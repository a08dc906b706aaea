"""Judges the errors of requests that fail."""

from chaos.history import Answer, Exchange, History
from exercises.project61.openai_errors import FORM, misfit
from exercises.project61.part1_functionality.wrong_requests import FAILING, WRONG
from lab.reading import outcome
from lab.verdict import Verdict, all_of, failed, in_short, passed

_CASES = {**WRONG, "a backend that fails": FAILING}


def errors_are_openais(requests: History) -> Verdict:
    asked = [one for name in _CASES for one in requests.exchanges(f"wrong: {name}")]
    verdict = all_of(_judge(one) for one in asked)
    return in_short(verdict, f"{len(asked)} failures have OpenAI's form and their statuses")


def _judge(asked: Exchange) -> Verdict:
    name, end = asked.request.label.removeprefix("wrong: "), asked.end
    statuses = _CASES[name].statuses
    told = " or ".join(map(str, sorted(statuses)))
    if not isinstance(end, Answer) or end.status not in statuses:
        return failed(f"{told} for {name} ({asked.request.method} {asked.request.path})", outcome(end), end)
    if wrong := misfit(end.body):
        return failed(f"{FORM}, for {name}", wrong, end)
    return passed(name, end)
