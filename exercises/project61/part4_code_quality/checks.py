"""The checks of part 4. Each judges recorded histories alone; its parameters name the experiments."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from chaos.history import Answer, Covered, Exchange, Exited, File, History, Linted, Log, Part, Signalled
from chaos.keys import answer_code
from chaos.linter import INSTANCE as LINTER
from exercises.project61.part4_code_quality.axes import OUTAGES
from exercises.project61.part4_code_quality.plan import ARRIVAL_SECONDS, AT_ONCE, is_rejection
from exercises.project61.usage_report import TOKENS, tokens_reported, unread, usage_of
from lab.lab import RESTARTED
from lab.own_tests import Suite, tampering
from lab.reading import excerpt, outcome
from lab.retry_after import seconds_of
from lab.timing import stalled, undisturbed
from lab.verdict import Verdict, all_of, failed, in_short, not_judged, passed

__all__ = [
    "breaker_protects",
    "database_down_costs_nothing",
    "failures_are_retried",
    "linter_is_clean",
    "shutdown_finishes_streams",
    "tests_cover_the_service",
    "tests_pass",
    "usage_survives_a_kill",
]

OWN_TESTS = 10
LEAST_PERCENT = 70
SHOWN_FILES = 3
SAID_LINES = 3
MOST_CALLS = 8
"""Attempts at one request: more means that two layers retry."""
LEAST_PAUSE = 0.02
ALIKE = 1.25
"""Pauses none of which is longer than another by this factor neither grow nor have random parts."""
PROMPT_SECONDS = 1.0
DRAIN_SECONDS = 30.0


def tests_pass(own_suite: History) -> Verdict:
    expected = f"{OWN_TESTS} tests or more that pass, assert something and need no network"
    suite = Suite(own_suite)
    if suite.event is None or suite.event.problem:
        return failed(expected, suite.event.problem if suite.event else "no tests ran", suite.event)
    if how := tampering(own_suite.of(File)):
        return failed(expected, how, suite.event)
    if suite.failing:
        one = suite.failing[0]
        return failed(expected, f"{len(suite.failing)} fail, such as {one.name} in {one.file}", suite.event)
    if len(suite.passing) < OWN_TESTS:
        actual = f"{len(suite.passing)} pass and assert something"
        if others := suite.not_counting:
            actual += f"; {len(others)} others do not, such as {others[0].name} in {others[0].file}"
        return failed(expected, actual, suite.event)
    return passed(f"{len(suite.passing)} tests pass", suite.event)


def linter_is_clean(linted: History) -> Verdict:
    expected = "a linter that ends with exit code 0, by your own configuration"
    run = linted.first(Linted)
    if run is None:
        return not_judged("the linter was not run", blame="harness")
    if run.problem:
        return failed(expected, run.problem, run)
    if run.code:
        lines = [line for line in linted.instance(LINTER).of(Log) if _says_something(line)][:SAID_LINES]
        said = excerpt(" ".join(line.text for line in lines))
        return failed(expected, f"it ended with exit code {run.code}: {said or 'no word'}", *lines, run)
    return passed("exit code 0, after it told of the faults in two files of the lab's", run)


def tests_cover_the_service(covered: History) -> Verdict:
    expected = f"your own tests run {LEAST_PERCENT} % of the lines of your service, or more"
    run = covered.first(Covered)
    if run is None:
        return not_judged("the lines that the tests run were not counted", blame="harness")
    lines = sum(file.lines for file in run.files)
    if run.problem or not lines:
        return failed(expected, run.problem or "there is no line that can run", run)
    executed = sum(file.executed for file in run.files)
    # Rounded down: 69.96 % is less than 70 %.
    told = f"{1000 * executed // lines / 10:.1f} % of {lines} lines"
    if 100 * executed < LEAST_PERCENT * lines:
        left = sorted(run.files, key=lambda file: file.executed - file.lines)[:SHOWN_FILES]
        named = ", ".join(f"{file.lines - file.executed} of {file.lines} in {file.file}" for file in left)
        return failed(expected, f"{told}; most of those that did not run: {named}", run)
    return passed(told, run)


def _says_something(line: Log) -> bool:
    """Whether a line is more than what npm writes before it runs a script."""
    return bool(line.text.strip()) and not line.text.startswith("> ")


def failures_are_retried(failures: History, breaker: History) -> Verdict:
    verdicts = [
        *_passing(failures),
        _pauses(failures),
        *_refusals(failures),
        _broken_stream(failures),
        _lasting(breaker),
    ]
    return in_short(
        all_of(verdicts), "failures that pass were retried after growing pauses, refusals were not"
    )


def breaker_protects(breaker: History) -> Verdict:
    failing = breaker.exchanges("failing")
    opened = [one for one in failing if is_rejection(breaker, one.end)]
    expected = "503 with Retry-After, at once and without a call of the backend, after failures in a row"
    tried = breaker.exchanges("open")
    if not opened:
        actual = f"the backend was still called after {len(failing)} requests that failed"
        return failed(expected, actual, failing[-1].end)
    for one in tried:
        if not is_rejection(breaker, one.end):
            return failed(expected, f"with an open breaker: {outcome(one.end)}", one.end)
    if not any(isinstance(one.end, Answer) and seconds_of(one.end) is not None for one in tried):
        return failed(expected, "there is no Retry-After", tried[0].end)
    slow = [one for one in tried if undisturbed(breaker, one) > PROMPT_SECONDS]
    if len(slow) > 1:
        return failed(expected, outcome(slow[0].end), slow[0].end)
    for one in (breaker.exchanges("closing")[-1], *breaker.exchanges("closed")):
        if one.status != 200:
            return failed("200 within a minute of the backend's recovery", outcome(one.end), one.end)
    return passed(f"open after {failing.index(opened[0]) + 1} requests, and closed again", opened[0].end)


def usage_survives_a_kill(killed: History) -> Verdict:
    counted = killed.exchanges("counted")
    if unserved := [one for one in counted if one.status != 200]:
        return not_judged(
            f"a request before the kill was not answered ({outcome(unserved[0].end)})",
            unserved[0].end,
            blame="submission",
        )
    reports = killed.exchanges("usage")
    if not reports:
        exited = next((event for event in killed.of(Exited) if event.instance == RESTARTED), None)
        return failed("the service starts again after kill -9", "it did not", exited)
    return _usage(killed, counted, "after kill -9")


def database_down_costs_nothing(database_down: History) -> Verdict:
    usual = database_down.exchanges("usual")
    served = [one.end.elapsed for one in usual if one.end and one.status == 200]
    if not served:
        return not_judged("nothing was answered with PostgreSQL up", usual[0].end, blame="submission")
    verdicts = [
        verdict for name in OUTAGES.values for verdict in _undelayed(database_down, name, max(served))
    ]
    asked = [*usual, *(one for name in OUTAGES.values for one in database_down.exchanges(name))]
    verdict = all_of(verdicts)
    if not verdict.passed:
        return verdict
    return _usage(database_down, asked, "once PostgreSQL is back")


def shutdown_finishes_streams(failures: History) -> Verdict:
    expected = "a stream that goes on to its end after SIGTERM, and an exit within 30 s"
    [stream] = failures.exchanges("stopped stream")
    signal = failures.first(Signalled)
    begun = any(part.request == stream.request.request for part in failures.of(Part))
    if signal is None or not begun or not stream.request.key:
        return failed("a stream that has begun before SIGTERM", outcome(stream.end), stream.end)
    # Whether [DONE] is at the end is for the criterion on streams.
    if not isinstance(stream.end, Answer) or answer_code(stream.request.key) not in stream.end.body:
        return failed(expected, f"the stream: {outcome(stream.end)}, without its end", stream.end)
    exited = next((one for one in failures.of(Exited) if one.t >= signal.t), None)
    if exited is None or exited.cause:
        return failed(expected, "the process did not exit", signal)
    took = exited.t - signal.t - stalled(failures, signal.t, exited.t)
    if took > DRAIN_SECONDS:
        return failed(expected, f"it exited after {took:.1f} s", exited)
    return passed(f"the stream ended, and the process {took:.1f} s after SIGTERM", exited)


def _passing(history: History) -> Iterator[Verdict]:
    for one in _labelled(history, "passing: "):
        name = one.request.label.removeprefix("passing: ")
        calls = len(history.calls(key=one.request.key))
        expected = f"200 after two failures that pass ({name})"
        if one.status != 200:
            yield failed(expected, f"{outcome(one.end)} and {calls} calls of the backend", one.end)
        else:
            yield passed("", one.end)


def _lasting(history: History) -> Verdict:
    """Judge how often the first requests whose failures do not pass reach the backend: layers multiply their attempts."""
    first = history.exchanges("failing")[:AT_ONCE]
    ends = [one.end for one in first if one.end]
    if len(ends) < AT_ONCE:
        return passed("")
    last = max(ends, key=lambda end: end.t)
    calls = sum(one.call.t < last.t for one in history.calls(key=first[0].request.key))
    if calls > AT_ONCE * MOST_CALLS:
        expected = f"{MOST_CALLS} calls of the backend at most for a request that fails"
        return failed(expected, f"{calls} for {AT_ONCE} requests", last)
    return passed("", last)


def _pauses(history: History) -> Verdict:
    """Judge the pauses before the second and the third attempt: they may have random parts, but not all be alike."""
    first, second = [], []
    for one in _labelled(history, "passing: "):
        calls = history.calls(key=one.request.key)
        if len(calls) != 3 or one.request.label.endswith("429"):  # a 429 may have a pause of its own
            continue
        pauses = [after.call.t - before.call.t for before, after in pairwise(calls)]
        first.append(pauses[0])
        second.append(pauses[1])
    if not first:
        return failed("three attempts at a request that fails twice", "no request was tried three times")
    before, after = sum(first) / len(first), sum(second) / len(second)
    seen = f"{before:.2f} s before the second attempt and {after:.2f} s before the third, on average"
    alike = max(first + second) < ALIKE * min(first + second)
    if before >= LEAST_PAUSE and not alike:
        return passed(seen)
    return failed("pauses between attempts that grow", seen, _labelled(history, "passing: ")[0].end)


def _refusals(history: History) -> Iterator[Verdict]:
    for one in _labelled(history, "refusal: "):
        name = one.request.label.removeprefix("refusal: ")
        calls = history.calls(key=one.request.key)
        if len(calls) != 1 or one.status is None or one.status < 400:
            actual = f"{outcome(one.end)} and {len(calls)} calls"
            yield failed(f"an error and one call of the backend that refuses with {name}", actual, one.end)
        else:
            yield passed("", one.end)


def _broken_stream(history: History) -> Verdict:
    [stream] = history.exchanges("broken stream")
    calls = history.calls(key=stream.request.key)
    if len(calls) > 1:
        actual = f"{len(calls)} calls of the backend"
        return failed("one call for a stream that breaks after its beginning", actual, stream.end)
    return passed("", stream.end)


def _undelayed(history: History, name: str, usual: float) -> Iterator[Verdict]:
    limit = usual + PROMPT_SECONDS
    expected = f"200 within {PROMPT_SECONDS:.0f} s beyond the usual {usual:.2f} s while PostgreSQL is {name}"
    for one in history.exchanges(name):
        if one.status != 200 or undisturbed(history, one) > limit:
            yield failed(expected, outcome(one.end), one.end)
        else:
            yield passed("", one.end)


def _usage(history: History, asked: Sequence[Exchange], when: str) -> Verdict:
    """Compare a user's tokens with those that the backend reported for the user's requests."""
    spent = sum(tokens_reported(history.calls(key=one.request.key)) for one in asked)
    expected = f"{spent} tokens of {len(asked)} requests in GET /v1/usage {when}"
    reports = history.exchanges("usage")
    last = reports[-1]
    usage = usage_of(last.end)
    if usage is None:
        return failed(expected, unread(last.end, *TOKENS), last.end)
    if usage.tokens != spent:
        late = f" after {ARRIVAL_SECONDS:.0f} s" if usage.tokens < spent else ""
        return failed(expected, f"{usage.tokens:.0f} tokens{late}", last.end)
    return passed(f"all {spent} tokens of {len(asked)} requests were counted once {when}", last.end)


def _labelled(history: History, prefix: str) -> Sequence[Exchange]:
    return [one for one in history.exchanges() if one.request.label.startswith(prefix)]
