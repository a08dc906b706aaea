"""Whether a submission has enough tests of its own, for the criteria of several parts."""

from collections.abc import Sequence

from chaos.history import File, History, OwnTest
from lab.own_tests import Suite, tampering
from lab.verdict import Verdict, failed, passed


def enough(history: History, suite: Suite, tests: Sequence[OwnTest], least: int, what: str) -> Verdict:
    """Judge that at least so many tests pass and count; `what` says which do."""
    expected = f"at least {least} tests that pass without a network, {what}"
    event = suite.event
    if event is None or event.problem:
        return failed(expected, event.problem if event else "the tests did not run", event)
    if changed := tampering(history.of(File)):
        return failed(expected, f"no test counts: {changed}", event)
    if len(tests) < least:
        passing = sum(case.outcome == "passed" for case in event.cases)
        return failed(expected, f"{len(tests)} of the {passing} that pass (of {len(event.cases)})", event)
    return passed(f"{len(tests)} tests count", event)
