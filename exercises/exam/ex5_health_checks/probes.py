"""What health checks ask of the dependencies: how often, and whether any of it is a model call."""

from collections import Counter
from collections.abc import Sequence

from chaos.history import Call, Connection, Exchange, Failure, History, Phase, Upstream
from exercises.exam.ex5_health_checks.readiness import DEPENDENCIES
from lab.reading import outcome
from lab.verdict import Verdict, failed, not_judged, passed

FEW = 15
"""Most calls of a dependency for a hundred callers; without a cache there are a hundred."""
STRAY = 5
"""Most callers of a hundred that may be refused by the network or the machine."""
_MODELS_HEALTH = "/health"
"""LiteLLM asks every model to answer this; all other pages of its cost nothing."""


def few(history: History, label: str) -> Verdict:
    """Judge that a crowd costs each dependency few calls, and is answered."""
    crowd = history.exchanges(label)
    expected = f"for {len(crowd)} callers at once at most {FEW} calls of each dependency ({label})"
    start, end = _window(crowd)
    counts = {upstream: _asked(history, upstream, start, end) for upstream in DEPENDENCIES}
    if most := [upstream for upstream, count in counts.items() if count > FEW]:
        actual = ", ".join(f"{counts[one]} of {one}" for one in most)
        return failed(expected, actual, *_calls(history, most[0], start, end)[:1], crowd[0].end)
    if (limited := [one for one in crowd if one.status == 429]) and len(limited) >= len(crowd) / 2:
        return not_judged("a rate limit kept the callers out", limited[0].end, blame="submission")
    # Who waits too long while something hangs is counted by the criterion on that.
    late = [
        one
        for one in crowd
        if "hangs" in label and isinstance(one.end, Failure) and one.end.error == "timeout"
    ]
    strays = [one for one in crowd if one.status not in {200, 503, 429} and one not in late]
    if len(strays) > STRAY:
        answered = len(crowd) - len(strays) - len(limited)
        return failed(expected, f"only {answered} were answered: {outcome(strays[0].end)}", strays[0].end)
    actual = ", ".join(f"{count} of {upstream}" for upstream, count in counts.items())
    return passed(f"calls for {len(crowd)} callers: {actual}", crowd[-1].end)


def model_calls(histories: Sequence[History]) -> Verdict | None:
    """Return a failure if anything but the lab's own prompt has made the model work since the control phase."""
    for history in histories:
        model = history.contract.model
        start = _control_end(history)
        for call in history.of(Call):
            if call.upstream == model and call.t >= start and _makes_model_calls(call):
                expected = (
                    "health reports without model calls: ask pages of LiteLLM such as /health/liveliness"
                )
                return failed(expected, f"{call.method} {call.path}", call)
    return None


def liveness_asks_nobody(history: History, label: str) -> Verdict:
    """Judge that calls of liveness alone bring no calls of dependencies; a few have other causes."""
    asked = history.exchanges(label)
    if not asked:
        return passed("")
    start, end = _window(asked)
    for upstream in DEPENDENCIES:
        calls = _calls(history, upstream, start, end)
        probed = [call for call in calls if call.method in {"GET", "HEAD"}]
        # MLflow takes traces at any time, by connections of their own.
        opened = 0 if upstream == "mlflow" else _opened(history, upstream, start, end)
        if (count := max(len(probed), opened)) >= len(asked) / 2:
            expected = "GET /health asks no dependency"
            return failed(
                expected,
                f"{len(asked)} calls of it caused {count} calls of {upstream}",
                asked[0].end,
                *probed[:1],
            )
    return passed(f"{len(asked)} calls of liveness asked nobody", asked[-1].end)


def _makes_model_calls(call: Call) -> bool:
    if call.key is not None:
        return False
    return call.method == "POST" or (call.path.rstrip("/") or "/") == _MODELS_HEALTH


def _control_end(history: History) -> float:
    """Return when the control phase's own prompt was answered: services may warm up and fill caches until then."""
    ends = [one.end.t for one in history.exchanges("control") if one.end]
    phases = [phase.t for phase in history.of(Phase) if phase.name == "control"]
    return max([*ends, *phases], default=0.0)


def _window(asked: Sequence[Exchange]) -> tuple[float, float]:
    start = asked[0].request.t
    return start, max((one.end.t for one in asked if one.end), default=start)


def _asked(history: History, upstream: Upstream, start: float, end: float) -> int:
    """Return how often an upstream was asked: by requests, or by connections where that is all there is to a probe."""
    return max(len(_calls(history, upstream, start, end)), _opened(history, upstream, start, end))


def _opened(history: History, upstream: Upstream, start: float, end: float) -> int:
    states = Counter(
        event.state
        for event in history.of(Connection)
        if event.upstream == upstream and start <= event.t <= end
    )
    return states["opened"]


def _calls(history: History, upstream: Upstream, start: float, end: float) -> list[Call]:
    return [event for event in history.of(Call) if event.upstream == upstream and start <= event.t <= end]
