"""Whether requests are answered, and limited, while Redis is not there."""

import re
from collections.abc import Iterator

from chaos.history import Answer, History, Log, Phase
from exercises.project61.part2_security.axes import OUTAGES
from exercises.project61.part2_security.plan import TIERS, limits_of
from lab.reading import outcome
from lab.timing import undisturbed
from lab.verdict import Verdict, all_of, failed, in_short, not_judged, passed

MORE_SECONDS = 1.0
_TELLING = re.compile(
    r"redis|fallback|fall(s|ing)? back|degraded"
    r"|limit.{0,80}(local|memory|shared|unavailable|unreachable|store|backend)",
    re.IGNORECASE,
)
"""Not a limit alone: a request beyond it makes lines and changes metrics as well."""


def redis_down_is_survived(redis_down: History) -> Verdict:
    usual = [one.end for one in redis_down.exchanges("usual")]
    served = [end.elapsed for end in usual if isinstance(end, Answer) and end.status == 200]
    if not served:
        return not_judged("nothing was answered with Redis up", *usual[:1], blame="submission")
    verdicts = [
        verdict
        for name in OUTAGES.values
        for verdict in (*_answered(redis_down, name, max(served)), _limited(redis_down, name))
    ]
    verdicts += [_alive(redis_down, name) for name in OUTAGES.values]
    verdicts += [_told(redis_down), _recovered(redis_down)]
    count = sum(len(redis_down.exchanges(f"{name}: {tier}")) for name in OUTAGES.values for tier in TIERS)
    return in_short(
        all_of(verdicts), f"{count} requests were answered in time, by limits in the service, and it was told"
    )


def _answered(history: History, name: str, usual: float) -> Iterator[Verdict]:
    limit = usual + MORE_SECONDS
    expected = f"200 or 429 within {MORE_SECONDS:.0f} s beyond the usual {usual:.2f} s while Redis is {name}"
    for tier in TIERS:
        asked = history.exchanges(f"{name}: {tier}")
        for one in asked:
            if one.status not in {200, 429} or undisturbed(history, one) > limit:
                yield failed(expected, f"tier {tier}: {outcome(one.end)}", one.end)
        if tier != "free" and not any(one.status == 200 for one in asked):
            yield failed(expected, f"tier {tier}: every request was refused", asked[-1].end)


def _alive(history: History, name: str) -> Verdict:
    """Judge liveness, which says that the process serves, whatever is down."""
    for one in history.exchanges(f"{name}: health"):
        if one.status != 200:
            return failed(f"200 for {one.request.path} while Redis is {name}", outcome(one.end), one.end)
    return passed("")


def _limited(history: History, name: str) -> Verdict:
    asked = history.exchanges(f"{name}: free")
    if any(one.status == 429 for one in asked):
        return passed("", asked[-1].end)
    limit = limits_of(history)["free"]
    expected = f"a limit of about {limit} a minute in the service itself while Redis is {name}"
    return failed(expected, f"all of {len(asked)} requests of the tier free were let through", asked[-1].end)


def _told(history: History) -> Verdict:
    expected = "a metric that changes, or a log line, that tells of the failure"
    broken = next((phase.t for phase in history.of(Phase) if phase.name == "fault"), 0.0)
    lines = [one for one in history.of(Log) if one.t >= broken and _TELLING.search(one.text)]
    if lines:
        return passed("", lines[0])
    before, *after = (
        _telling_metrics(one.end)
        for label in ("metrics before", "metrics after")
        for one in history.exchanges(label)
    )
    if any(series - before for series in after):
        return passed("")
    return failed(expected, "neither a line nor a metric with Redis or limits in it changed")


def _telling_metrics(end: object) -> set[str]:
    lines = end.body.splitlines() if isinstance(end, Answer) and end.status == 200 else []
    return {line for line in lines if not line.startswith("#") and _TELLING.search(line)}


def _recovered(history: History) -> Verdict:
    [after] = history.exchanges("after")
    if after.status in {200, 429}:
        return passed("", after.end)
    return failed("200 once Redis is back", outcome(after.end), after.end)
