"""Judges the errors of requests that fail."""

from chaos.history import Answer, Exchange, History
from exercises.project61.part1_functionality.results import at
from exercises.project61.part1_functionality.wrong_requests import FAILING, WRONG
from lab.reading import as_json, excerpt, outcome
from lab.verdict import Verdict, all_of, failed, in_short, passed

FIELDS = ("message", "type", "code", "param")
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
    error = at(as_json(end.body), "error")
    missing = [field for field in FIELDS if not isinstance(error, dict) or field not in error]
    if missing:
        expected = f"an object 'error' with {', '.join(FIELDS)} for {name}"
        return failed(expected, f"no {missing[0]} in {excerpt(end.body, 100) or 'an empty body'}", end)
    if any(not isinstance(error[field], str) or not error[field] for field in ("message", "type")):
        return failed(f"a message and a type that are texts for {name}", excerpt(end.body, 100), end)
    return passed(name, end)
