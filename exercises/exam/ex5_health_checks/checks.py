"""The checks of exercise 5. Each judges recorded histories alone; its parameters name the experiments."""

import re
from collections.abc import Collection

from chaos.history import Answer, Call, Connection, Exchange, Failure, Fault, File, History, Upstream
from exercises.exam.ex5_health_checks.compose import has_health_check
from exercises.exam.ex5_health_checks.readiness import DEPENDENCIES, NAMES, SEEN_SECONDS, shows, told
from lab.flags import flags
from lab.promptness import prompt
from lab.reading import outcome
from lab.secrets_leak import Leaks
from lab.timing import blame_stalls, undisturbed
from lab.verdict import Verdict, all_of, failed, not_judged, passed

HANGING_SECONDS = 10.0
HANGING_TOLERANCE = 1.0
FEW = 15
"""So many calls of an upstream for a hundred callers are few; without a cache there are a hundred."""
_TOKEN = re.compile(r"\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]{8,}")


def liveness(outages: History, blackholes: History, swallowed: History) -> Verdict:
    return all_of(_alive(history) for history in (outages, blackholes, swallowed))


def readiness(outages: History) -> Verdict:
    path = outages.contract.endpoints["readiness"]
    expected = f"GET {path} answers 200 with all up, and says so of qdrant, litellm and mlflow"
    last = outages.exchanges("healthy")[-1]
    if shows(last.end, ()):
        return passed(told(last.end), last.end)
    return failed(expected, told(last.end), last.end)


def outages_show(outages: History) -> Verdict:
    # What does not recover is still false in the outages after its own: that is judged once, as recovery.
    recovers = _recovered(outages).passed
    return all_of(
        _shown(
            outages,
            f"refused: {upstream}",
            [upstream],
            f"{upstream} refuses connections",
            whatever=() if recovers else DEPENDENCIES[:position],
        )
        for position, upstream in enumerate(DEPENDENCIES)
    )


def hanging_is_bounded(blackholes: History, swallowed: History) -> Verdict:
    labels = [f"hanging: {upstream}" for upstream in DEPENDENCIES]
    return all_of(
        [
            *(_in_time(blackholes, label) for label in (*labels, "hanging: all")),
            _in_time(swallowed, "swallowed"),
            *(
                _shown(blackholes, label, [upstream], f"{upstream} takes no connections")
                for label, upstream in zip(labels, DEPENDENCIES, strict=True)
            ),
            _shown(blackholes, "hanging: all", DEPENDENCIES, "none of them takes connections"),
            _side_by_side(blackholes, labels),
        ]
    )


def recovery_shows(outages: History, swallowed: History) -> Verdict:
    if not _follows(outages):
        last = outages.exchanges("recovered")[-1]
        return not_judged(
            "no outage showed while it lasted, so nothing could recover", last.end, blame="submission"
        )
    return all_of(_recovered(history) for history in (outages, swallowed))


def probes_are_few(outages: History) -> Verdict:
    expected = f"for 100 callers at once at most {FEW} calls of each dependency"
    crowd = outages.exchanges("crowd")
    start = crowd[0].request.t
    end = max((one.end.t for one in crowd if one.end), default=start)
    counts = {upstream: _asked(outages, upstream, start, end) for upstream in DEPENDENCIES}
    if most := [upstream for upstream, count in counts.items() if count > FEW]:
        actual = ", ".join(f"{counts[one]} of {one}" for one in most)
        return failed(expected, actual, *_calls(outages, most[0], start, end)[:1], crowd[0].end)
    if not _follows(outages):
        reason = "the report does not follow its dependencies, so it does not matter how often it asks them"
        return not_judged(reason, crowd[0].end, blame="submission")
    answered = [one for one in crowd if one.status in {200, 503}]
    if len(answered) <= len(crowd) // 2:
        other = next(one for one in crowd if one not in answered)
        if other.status == 429:
            return not_judged("a rate limit kept the callers out", other.end, blame="submission")
        return failed(expected, f"only {len(answered)} were answered: {outcome(other.end)}", other.end)
    actual = ", ".join(f"{count} of {upstream}" for upstream, count in counts.items())
    return passed(f"calls for {len(crowd)} callers: {actual}", answered[-1].end)


def no_secrets(outages: History, blackholes: History, swallowed: History) -> Verdict:
    expected = "no secret or token in a health report"
    histories = (outages, blackholes, swallowed)
    leaks = Leaks(histories)
    health_paths = {outages.contract.endpoints[name] for name in ("alive", "readiness")}
    reports = [
        one.end
        for history in histories
        for one in history.exchanges()
        if one.request.path in health_paths and isinstance(one.end, Answer)
    ]
    for report in reports:
        if name := leaks.find(report.body):
            return failed(expected, f"{name} shows in an answer {report.status}", report)
        if _TOKEN.search(report.body):
            return failed(expected, f"a token shows in an answer {report.status}", report)
    if not any(flag is not None for report in reports for flag in flags(report.body, NAMES).values()):
        return not_judged("there is no readiness report to look at", blame="submission")
    return passed(f"none in {len(reports)} reports")


def compose_has_health_check(compose_files: History) -> Verdict:
    expected = "the service 'api' of the compose file has a healthcheck with a test"
    files = [file for file in compose_files.of(File) if file.path.endswith((".yml", ".yaml"))]
    if not files:
        return failed(expected, "there is no compose file")
    found: dict[str, bool | None] = {}
    for file in files:
        try:
            found[file.path] = has_health_check(file.text)
        except ValueError:
            return failed(expected, f"{file.path} is not YAML", file)
        if found[file.path]:
            return passed(f"{file.path} has one", file)
    if all(checked is None for checked in found.values()):
        return failed(expected, f"no service 'api' in {', '.join(found)}", files[0])
    return failed(expected, f"none in {', '.join(found)}", files[0])


def _alive(history: History) -> Verdict:
    expected = "GET /health answers 200 in under 1 s, whatever is down and while readiness is asked"
    samples = [one for one in history.exchanges("liveness") if one.status != 429]
    if not samples:
        return not_judged("a rate limit kept GET /health from answering", blame="submission")
    for one in samples:
        broken = isinstance(one.end, Failure) and one.end.error != "timeout"
        if broken or (isinstance(one.end, Answer) and one.end.status != 200):
            return failed(expected, outcome(one.end), one.end)
    return prompt(history, samples, expected)


def _shown(
    history: History,
    label: str,
    down: Collection[Upstream],
    what: str,
    *,
    whatever: Collection[Upstream] = (),
) -> Verdict:
    """Judge that the report came to show what is down within the time that it may be kept; some may be either."""
    names = ", ".join(upstream for upstream in down)
    others = "" if len(down) == len(DEPENDENCIES) else " and the others true"
    expected = f"503 with {names} false{others}, within {SEEN_SECONDS:.0f} s after {what}"
    asked = history.exchanges(label)
    if shows(asked[-1].end, down, whatever=whatever):
        return passed(
            f"{names} down: shown after {asked[-1].request.t - asked[0].request.t:.0f} s", asked[-1].end
        )
    return failed(expected, told(asked[-1].end), asked[-1].end, _fault_before(history, asked[0]))


def _in_time(history: History, label: str) -> Verdict:
    expected = f"an answer within {HANGING_SECONDS:.0f} s ({label})"
    for one in history.exchanges(label):
        elapsed = one.end.elapsed if one.end else float("inf")
        if isinstance(one.end, Answer) and elapsed <= HANGING_SECONDS + HANGING_TOLERANCE:
            continue
        late = failed(expected, outcome(one.end), one.end, _fault_before(history, one))
        return blame_stalls(undisturbed(history, one), HANGING_SECONDS, "answer", one.end) or late
    return passed(f"{label}: at most {_longest(history, label):.1f} s", history.exchanges(label)[-1].end)


def _side_by_side(history: History, labels: Collection[str]) -> Verdict:
    """Judge that with all hanging a report takes about as long as with the slowest of them, and not all of them."""
    # A stall must not stretch the measure that the others are held to.
    longest = max(_longest_undisturbed(history, label) for label in labels)
    together = _longest(history, "hanging: all")
    slowest = max(history.exchanges("hanging: all"), key=lambda one: one.end.elapsed if one.end else 0.0)
    limit = 1.5 * longest + 1.0
    if together <= limit:
        return passed(f"all hanging: {together:.1f} s, one of them: {longest:.1f} s", slowest.end)
    expected = f"with all hanging an answer after about {longest:.1f} s, as with the slowest of them"
    late = failed(expected, outcome(slowest.end), slowest.end)
    return blame_stalls(undisturbed(history, slowest), limit, "answer", slowest.end) or late


def _recovered(history: History) -> Verdict:
    asked = history.exchanges("recovered")
    if shows(asked[-1].end, ()):
        return passed(
            f"all up again, shown after {asked[-1].request.t - asked[0].request.t:.0f} s", asked[-1].end
        )
    expected = f"200 with all true within {SEEN_SECONDS:.0f} s after the dependencies are back"
    return failed(expected, told(asked[-1].end), asked[-1].end, _fault_before(history, asked[0]))


def _follows(history: History) -> bool:
    """Whether an outage has ever shown in its flag."""
    return any(
        isinstance(one.end, Answer) and flags(one.end.body, NAMES)[upstream] is False
        for upstream in DEPENDENCIES
        for one in history.exchanges(f"refused: {upstream}")
    )


def _longest(history: History, label: str) -> float:
    return max(one.end.elapsed for one in history.exchanges(label) if one.end)


def _longest_undisturbed(history: History, label: str) -> float:
    return max(undisturbed(history, one) for one in history.exchanges(label) if one.end)


def _fault_before(history: History, exchange: Exchange) -> Fault | None:
    earlier = [fault for fault in history.of(Fault) if fault.t <= exchange.request.t]
    return earlier[-1] if earlier else None


def _asked(history: History, upstream: Upstream, start: float, end: float) -> int:
    """Return how often an upstream was asked: by requests, or by connections where that is all there is to a probe."""
    opened = [
        event
        for event in history.of(Connection)
        if event.upstream == upstream and event.state == "opened" and start <= event.t <= end
    ]
    return max(len(_calls(history, upstream, start, end)), len(opened))


def _calls(history: History, upstream: Upstream, start: float, end: float) -> list[Call]:
    return [event for event in history.of(Call) if event.upstream == upstream and start <= event.t <= end]
