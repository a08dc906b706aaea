"""Told histories of exercise 5: dependencies that fail and recover, and what the service says of them."""

from collections.abc import Collection, Mapping
from typing import Any

from chaos.history import Call, Connection, Fault, FaultName, History, Planted, Upstream
from exercises.exam.ex5_health_checks.readiness import DEPENDENCIES, OTHERWISE_LABEL
from tests.lab.story import Story

SECRET = "8c1f0d5a7b3e92466a0c4d1e5f7b8a9c0d2e4f6a8b1c3d5e"
Report = tuple[int, dict[str, Any]]
Reports = Mapping[str, Report | None]

IN_TURN: dict[str, dict[Upstream, tuple[FaultName, str]]] = {
    "qdrant refused": {"qdrant": ("outage", "")},
    "litellm 500, mlflow reset": {"litellm": ("status", "500"), "mlflow": ("reset", "")},
    "litellm closed": {"litellm": ("close", "")},
    "all broken": {"qdrant": ("status", "503"), "litellm": ("outage", ""), "mlflow": ("garbage", "")},
}
BLACKHOLES: dict[str, dict[Upstream, tuple[FaultName, str]]] = {
    **{f"{one} hangs": {one: ("blackhole", "")} for one in DEPENDENCIES},
    "all hang": dict.fromkeys(DEPENDENCIES, ("blackhole", "")),
    "mlflow 502": {"mlflow": ("status", "502")},
}
SILENT: dict[str, dict[Upstream, tuple[FaultName, str]]] = {
    "qdrant silent": {"qdrant": ("hang", "")},
    "litellm late": {"litellm": ("latency", "20 s")},
    "all silent": {"qdrant": ("latency", "20 s"), "litellm": ("hang", ""), "mlflow": ("hang", "")},
}


def report(down: Collection[Upstream] = ()) -> Report:
    """Return what a right service says."""
    flags = {upstream: {"healthy": upstream not in down} for upstream in DEPENDENCIES}
    return (503 if down else 200), {"status": "degraded" if down else "healthy", "checks": flags}


ALL_UP: Report = report()
NO_PAGE: Report = (404, {"detail": "Not Found"})


def ask(story: Story, label: str, told: Report | None, *, after: float = 0.02) -> None:
    """Tell of a question for readiness; without a report it was never answered."""
    request = story.ask(label, path="/health/detailed", method="GET")
    if told is None:
        story.fail(request, after=after)
    else:
        story.answer(request, told[0], body=told[1], after=after)


def alive(
    story: Story, status: int | str = 200, *, after: float = 0.01, times: int = 3, label: str = "liveness"
) -> None:
    for _ in range(times):
        request = story.ask(label, path="/health", method="GET")
        if isinstance(status, str):
            story.fail(request, status, after=after)
        else:
            story.answer(request, status, after=after, body={"status": "alive"})


def calls(
    story: Story, count: int, upstream: Upstream = "litellm", path: str = "/health/liveliness", **more: Any
) -> None:
    for number in range(count):
        details = {"method": "GET", "connection": number, "counted": False, **more}
        story.add(Call(call=1000 + number, upstream=upstream, path=path, **details))


def outages(
    reports: Reports | None = None,
    *,
    crowd: Report | None = ALL_UP,
    probes: int = 1,
    connections: int = 0,
    otherwise: Report = ALL_UP,
    headers: dict[str, str] | None = None,
    for_liveness: int = 0,
) -> History:
    """Tell of dependencies that break in turn, and recover at once; each change shows after 30 s."""
    story = Story("outages")
    story.add(Planted(name="JWT_SECRET_KEY", value=SECRET))
    told = reports or {}
    ask(story, "healthy", told.get("healthy", ALL_UP))
    request = story.ask(OTHERWISE_LABEL, path="/health/detailed?verbose=true", method="GET")
    story.answer(request, otherwise[0], body=otherwise[1], headers=headers)
    calls(story, 3)
    story.now += 1
    _alone(story, for_liveness)
    walk(story, IN_TURN, told)
    recover(story, told.get("recovered", ALL_UP))
    _crowd(story, "crowd: all up", crowd, probes=probes, connections=connections)
    return story.end()


def blackholes(reports: Reports | None = None, times: Mapping[str, float] | None = None) -> History:
    """Tell of dependencies that take no connections; a report takes two seconds then."""
    story = Story("blackholes")
    ask(story, "healthy", ALL_UP)
    walk(story, BLACKHOLES, reports or {}, times=times or {}, seconds=2.0)
    return story.end()


def swallowed(
    reports: Reports | None = None,
    times: Mapping[str, float] | None = None,
    *,
    crowd: Report | None = None,
    after: float = 0.001,
    probes: int = 1,
) -> History:
    """Tell of dependencies that never answer, and of a crowd that asks while one does not."""
    story = Story("swallowed")
    ask(story, "healthy", ALL_UP)
    walk(story, SILENT, reports or {}, times=times or {}, seconds=2.0)
    _crowd(story, "crowd: qdrant hangs", crowd or report(["qdrant"]), probes=probes, after=after)
    recover(story, (reports or {}).get("recovered", ALL_UP))
    return story.end()


def rested(*reports: Report | None) -> History:
    """Tell of reports after a rest: the first with Qdrant down, the next with MLflow down; by default the right one."""
    story = Story("rested")
    ask(story, "healthy", ALL_UP)
    before: Upstream | None = None
    for upstream, one in zip(("qdrant", "mlflow"), reports or (report(["qdrant"]),), strict=False):
        if before:
            story.add(Fault(name="heal", upstream=before, on=False))
        story.add(Fault(name="outage", upstream=upstream, on=True))
        story.now += 31
        ask(story, f"after a rest: {upstream}", one)
        before = upstream
    return story.end()


def walk(
    story: Story,
    steps: Mapping[str, Mapping[Upstream, tuple[FaultName, str]]],
    told: Reports,
    *,
    times: Mapping[str, float] | None = None,
    seconds: float = 0.02,
) -> None:
    before: Collection[Upstream] = ()
    for label, faults in steps.items():
        for upstream in before:
            story.add(Fault(name="heal", upstream=upstream, on=False))
        for upstream, (name, detail) in faults.items():
            story.add(Fault(name=name, upstream=upstream, on=True, detail=detail))
        ask(story, label, report(before))
        story.now += 30
        right = report(faults)
        ask(story, label, told.get(label, right), after=(times or {}).get(label, seconds))
        alive(story)
        before = faults


def recover(story: Story, told: Report | None) -> None:
    for upstream in DEPENDENCIES:
        story.add(Fault(name="heal", upstream=upstream, on=False))
    ask(story, "recovered", report(["mlflow"]))
    story.now += 30
    at_once(story, "recovered", [told] * 5)


def at_once(story: Story, label: str, told: Collection[Report | None]) -> None:
    """Tell of questions that were all under way at the same time."""
    requests = [story.ask(label, path="/health/detailed", method="GET") for _ in told]
    for request, one in zip(requests, told, strict=True):
        if one is None:
            story.fail(request, after=0.1)
        else:
            story.answer(request, one[0], body=one[1], after=0.001)


def _alone(story: Story, probes: int) -> None:
    first = story.ask("liveness alone", path="/health", method="GET")
    calls(story, probes)
    story.answer(first, body={"status": "alive"}, after=0.001)
    alive(story, times=19, after=0.001, label="liveness alone")


def _crowd(
    story: Story, label: str, told: Report | None, *, probes: int, connections: int = 0, after: float = 0.001
) -> None:
    requests = [story.ask(label, path="/health/detailed", method="GET") for _ in range(100)]
    calls(story, probes, "mlflow", "/health")
    for number in range(connections):
        story.add(Connection(upstream="litellm", connection=number, state="opened"))
    begun = story.now
    for request in requests:
        if told is None:
            story.fail(request, after=0.1)
        else:
            story.answer(request, told[0], body=told[1], after=after, started=begun)
