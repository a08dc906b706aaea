"""Whether a submission has enough tests of its own, for the criteria of several parts."""

from collections.abc import Sequence

from chaos.history import File, History, OwnTest
from lab.own_tests import Suite, tampering
from lab.verdict import Verdict, failed, passed

NAMED = 2
"""So many tests that do not count are named, of each kind."""


def enough(history: History, suite: Suite, tests: Sequence[OwnTest], least: int, what: str) -> Verdict:
    """Judge that at least so many tests pass and count; `what` says which do."""
    expected = f"at least {least} tests that pass without a network, {what}"
    event = suite.event
    if event is None or event.problem:
        return failed(expected, event.problem if event else "the tests did not run", event)
    if changed := tampering(history.of(File)):
        return failed(expected, f"no test counts: {changed}", event)
    if len(tests) < least:
        return failed(expected, _told(suite, tests), event)
    return passed(f"{len(tests)} tests count", event)


def _told(suite: Suite, counted: Sequence[OwnTest]) -> str:
    """Say how many tests count, and what is with the others, some by name."""
    cases = suite.event.cases if suite.event else ()
    left = [one for one in cases if one not in counted]
    why = {
        "do not pass": [one for one in left if one.outcome == "failed"],
        "are skipped": [one for one in left if one.outcome == "skipped"],
        "assert nothing, or are marked to be left out": [
            one for one in left if one.outcome == "passed" and one not in suite.passing
        ],
        "are about something else": [one for one in left if one in suite.passing],
    }
    parts = [f"{len(cases)} tests, of which {len(counted)} count"]
    for reason, tests in why.items():
        if tests:
            names = ", ".join(one.name for one in tests[:NAMED])
            more = ", ..." if len(tests) > NAMED else ""
            parts.append(f"{len(tests)} {reason} ({names}{more})")
    return "; ".join(parts)
