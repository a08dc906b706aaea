"""The checks: pure functions of recorded histories, whose parameters name the experiments that they read."""

import json

from chaos.history import Answer, Exchange, File, History
from lab.reading import outcome
from lab.verdict import Verdict, failed, passed

SECONDS = 20.0


def counts(outage: History) -> Verdict:
    asked = outage.exchanges("before") + outage.exchanges("at once")
    expected = f"the counts 1 to {len(asked)}, each once"
    seen = [_counted(one) for one in asked]
    if sorted(one for one in seen if one is not None) != list(range(1, len(asked) + 1)):
        return failed(expected, f"the counts {seen}", asked[-1].end)
    return passed(f"{len(asked)} requests, counted one by one", asked[-1].end)


def outlives_an_outage(outage: History) -> Verdict:
    expected = f"503 within {SECONDS:.0f} s while the store refuses connections"
    for one in outage.exchanges("without the store"):
        if one.status != 503 or not one.end or one.end.elapsed > SECONDS:
            return failed(expected, outcome(one.end), one.end)
    [after] = outage.exchanges("after")
    if _counted(after) is None:
        return failed("a count once the store is back", outcome(after.end), after.end)
    return passed(f"503 without the store, then {_counted(after)}", after.end)


def readme_names_the_variable(readme: History) -> Verdict:
    variable = readme.contract.upstreams["store"].variable
    file = readme.first(File)
    if file is None or variable not in file.text:
        return failed(f"README.md names {variable}", "it does not" if file else "there is no README.md", file)
    return passed(f"{file.path} names {variable}", file)


def _counted(exchange: Exchange) -> int | None:
    """Return the count that an answer holds; None for any other answer."""
    if not isinstance(exchange.end, Answer) or exchange.end.status != 200:
        return None
    try:
        count = json.loads(exchange.end.body)["count"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return count if isinstance(count, int) else None
