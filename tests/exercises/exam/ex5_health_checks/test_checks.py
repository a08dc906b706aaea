from collections.abc import Collection, Mapping
from typing import Any

import pytest

from chaos.history import Call, Connection, Fault, File, History, Planted, Stall, Upstream
from exercises.exam.ex5_health_checks import checks
from exercises.exam.ex5_health_checks.readiness import DEPENDENCIES
from tests.lab.story import Story

SECRET = "8c1f0d5a7b3e92466a0c4d1e5f7b8a9c0d2e4f6a8b1c3d5e"
Report = tuple[int, dict[str, Any]]


def _report(down: Collection[Upstream] = ()) -> Report:
    report = {upstream: {"healthy": upstream not in down} for upstream in DEPENDENCIES}
    return (503 if down else 200), {"status": "degraded" if down else "ok", "checks": report}


ALWAYS_UP: Report = _report()
NO_PAGE: Report = (404, {"detail": "Not Found"})


def _readiness(story: Story, label: str, report: Report | None, *, after: float = 0.02) -> None:
    """Tell of a question for readiness; without a report it was never answered."""
    request = story.ask(label, path="/health/detailed", method="GET")
    if report is None:
        story.fail(request, after=after)
    else:
        story.answer(request, report[0], body=report[1], after=after)


def _alive(story: Story, status: int | str = 200, *, after: float = 0.01, times: int = 3) -> None:
    for _ in range(times):
        request = story.ask("liveness", path="/health", method="GET")
        if isinstance(status, str):
            story.fail(request, status, after=after)
        else:
            story.answer(request, status, after=after, body={"status": "ok"})


def _outages(
    reports: Mapping[str, Report] | None = None,
    *,
    crowd: Report | None = ALWAYS_UP,
    calls: int = 1,
    connections: int = 0,
    files: Mapping[str, str] | None = None,
) -> History:
    told = reports or {}
    story = Story("outages")
    story.add(Planted(name="JWT_SECRET_KEY", value=SECRET))
    for path, text in (files or {}).items():
        story.add(File(path=path, text=text))
    _readiness(story, "healthy", told.get("healthy", _report()))
    for upstream in DEPENDENCIES:
        story.add(Fault(name="outage", upstream=upstream, on=True))
        label = f"refused: {upstream}"
        _readiness(story, label, _report())
        story.now += 30
        _readiness(story, label, told.get(label, _report([upstream])))
        _alive(story)
    _readiness(story, "recovered", _report(["mlflow"]))
    story.now += 30
    _readiness(story, "recovered", told.get("recovered", _report()))
    _crowd(story, crowd, calls=calls, connections=connections)
    return story.end()


def _crowd(story: Story, report: Report | None, *, calls: int, connections: int) -> None:
    requests = [story.ask("crowd", path="/health/detailed", method="GET") for _ in range(100)]
    for number in range(calls):
        call = Call(
            call=1000 + number, upstream="mlflow", method="GET", path="/health", connection=1, counted=False
        )
        story.add(call)
    for number in range(connections):
        story.add(Connection(upstream="litellm", connection=number, state="opened"))
    for request in requests:
        if report is None:
            story.fail(request, after=0.1)
        else:
            story.answer(request, report[0], body=report[1], after=0.001)


def _blackholes(
    reports: Mapping[str, Report | None] | None = None, times: Mapping[str, float] | None = None
) -> History:
    story = Story("blackholes")
    _readiness(story, "healthy", _report())
    for label, down in {
        **{f"hanging: {upstream}": [upstream] for upstream in DEPENDENCIES},
        "hanging: all": DEPENDENCIES,
    }.items():
        story.add(Fault(name="blackhole", upstream=down[0], on=True))
        _readiness(story, label, _report())
        report = _report(down) if reports is None or label not in reports else reports[label]
        _readiness(story, label, report, after=(times or {}).get(label, 2.0))
        _alive(story)
    return story.end()


def _swallowed(report: Report | None = None, *, after: float = 2.0, recovered: Report = ALWAYS_UP) -> History:
    story = Story("swallowed")
    story.add(Fault(name="hang", upstream="qdrant", on=True))
    _readiness(story, "swallowed", report or _report(DEPENDENCIES), after=after)
    _alive(story)
    _readiness(story, "recovered", recovered)
    return story.end()


def _living(status: int | str = 200, *, after: float = 0.01, times: int = 5) -> History:
    story = Story("swallowed")
    _alive(story, status, after=after, times=times)
    return story.end()


def test_liveness_passes() -> None:
    assert checks.liveness(_outages(), _blackholes(), _living()).passed


def test_liveness_forgives_one_slow_sample_and_what_a_rate_limit_refuses() -> None:
    story = Story("swallowed")
    _alive(story, after=1.8, times=1)
    _alive(story, 429, times=4)
    _alive(story)

    assert checks.liveness(_outages(), _blackholes(), story.end()).passed


@pytest.mark.parametrize(
    ("status", "after", "actual"),
    [
        (503, 0.01, "503"),
        (200, 1.2, "5 of 5 did not"),
        ("timeout", 5.0, "no answer within 5 s"),
        ("reset", 0.1, "the connection was reset"),
    ],
)
def test_liveness_fails(status: int | str, after: float, actual: str) -> None:
    verdict = checks.liveness(_outages(), _blackholes(), _living(status, after=after))

    assert verdict.status == "failed"
    assert actual in verdict.actual
    assert verdict.evidence


def test_liveness_blames_the_machine_where_every_slow_answer_met_a_stall() -> None:
    story = Story("swallowed")
    for _ in range(3):
        request = story.ask("liveness", path="/health", method="GET")
        story.now += 1.4
        story.add(Stall(seconds=1.3))
        story.answer(request, 200, started=story.now - 1.4)

    verdict = checks.liveness(_outages(), _blackholes(), story.end())

    assert (verdict.status, verdict.blame) == ("not judged", "machine")


def test_liveness_is_not_judged_behind_a_rate_limit() -> None:
    assert checks.liveness(_outages(), _blackholes(), _living(429)).status == "not judged"


def test_readiness_passes() -> None:
    assert checks.readiness(_outages()).passed


@pytest.mark.parametrize(
    ("report", "actual"),
    [
        (NO_PAGE, "404, which names no dependency"),
        ((200, {"status": "ok"}), "200, which names no dependency"),
        ((200, {"qdrant": True, "litellm": True}), "200: qdrant true, litellm true, mlflow not there"),
        (_report(["mlflow"]), "503: qdrant true, litellm true, mlflow false"),
        ((503, _report()[1]), "503: qdrant true, litellm true, mlflow true"),
    ],
)
def test_readiness_fails(report: Report, actual: str) -> None:
    verdict = checks.readiness(_outages({"healthy": report}))

    assert verdict.status == "failed"
    assert verdict.actual == actual


def test_outages_show_passes() -> None:
    verdict = checks.outages_show(_outages())

    assert verdict.passed
    assert "qdrant down: shown after 30 s" in verdict.actual


@pytest.mark.parametrize("upstream", DEPENDENCIES)
@pytest.mark.parametrize(
    "report",
    [ALWAYS_UP, NO_PAGE, _report(DEPENDENCIES), (503, {"status": "unhealthy"}), (200, _report(["qdrant"])[1])],
    ids=["all up", "no page", "all down", "no flags", "200"],
)  # fmt: skip
def test_outages_show_fails(report: Report, upstream: Upstream) -> None:
    verdict = checks.outages_show(_outages({f"refused: {upstream}": report}))

    assert verdict.status == "failed"
    assert f"503 with {upstream} false and the others true" in verdict.expected
    assert any(isinstance(event, Fault) for event in verdict.evidence)


STUCK = {
    "refused: litellm": _report(["qdrant", "litellm"]),
    "refused: mlflow": _report(DEPENDENCIES),
    "recovered": _report(DEPENDENCIES),
}


def test_outages_show_leaves_what_never_recovers_to_the_criterion_on_recovery() -> None:
    assert checks.outages_show(_outages(STUCK)).passed
    assert checks.recovery_shows(_outages(STUCK), _swallowed()).status == "failed"


def test_outages_show_fails_where_others_are_false_for_a_while() -> None:
    assert checks.outages_show(_outages({**STUCK, "recovered": _report()})).status == "failed"
    early = {**STUCK, "refused: qdrant": _report(["qdrant", "mlflow"])}
    assert checks.outages_show(_outages(early)).status == "failed"


@pytest.mark.parametrize(
    "times",
    [{}, {"hanging: mlflow": 5.0, "hanging: all": 5.1}, {"hanging: all": 10.5, "hanging: qdrant": 10.5}],
    ids=["two seconds each", "one slower", "at the limit"],
)
def test_hanging_is_bounded_passes(times: Mapping[str, float]) -> None:
    assert checks.hanging_is_bounded(_blackholes(times=times), _swallowed()).passed


def test_hanging_is_bounded_passes_checks_that_only_connect() -> None:
    assert checks.hanging_is_bounded(_blackholes(), _swallowed(_report(), after=0.01)).passed


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ({"hanging: litellm": 11.5}, "within 10 s (hanging: litellm)"),
        ({"hanging: all": 6.0}, "as with the slowest of them"),
    ],
)
def test_hanging_is_bounded_fails_late_answers(times: Mapping[str, float], expected: str) -> None:
    verdict = checks.hanging_is_bounded(_blackholes(times=times), _swallowed())

    assert verdict.status == "failed"
    assert expected in verdict.expected


@pytest.mark.parametrize("label", ["hanging: qdrant", "hanging: all"])
@pytest.mark.parametrize("report", [ALWAYS_UP, NO_PAGE, (500, {}), None])
def test_hanging_is_bounded_fails_other_reports_and_none(report: Report | None, label: str) -> None:
    assert checks.hanging_is_bounded(_blackholes({label: report}), _swallowed()).status == "failed"


def test_hanging_is_bounded_fails_where_what_is_swallowed_is_awaited() -> None:
    verdict = checks.hanging_is_bounded(_blackholes(), _swallowed(after=14))

    assert verdict.status == "failed"
    assert "swallowed" in verdict.expected


def test_hanging_is_bounded_blames_the_machine_where_the_lab_stood_still() -> None:
    story = Story("swallowed")
    story.add(Fault(name="hang", upstream="qdrant", on=True))
    request = story.ask("swallowed", path="/health/detailed", method="GET")
    story.now += 10
    story.add(Stall(seconds=6.0))
    story.answer(request, 503, after=3, started=story.now - 10, body=_report(DEPENDENCIES)[1])

    verdict = checks.hanging_is_bounded(_blackholes(), story.end())

    assert (verdict.status, verdict.blame) == ("not judged", "machine")


def test_recovery_shows_passes() -> None:
    assert checks.recovery_shows(_outages(), _swallowed()).passed


def test_recovery_shows_fails_where_a_dependency_stays_down() -> None:
    still_down = _report(["mlflow"])
    for verdict in (
        checks.recovery_shows(_outages({"recovered": still_down}), _swallowed()),
        checks.recovery_shows(_outages(), _swallowed(recovered=still_down)),
    ):
        assert verdict.status == "failed"
        assert verdict.actual == "503: qdrant true, litellm true, mlflow false"


CANNED = {f"refused: {title}": ALWAYS_UP for title in DEPENDENCIES}


def test_what_follows_no_dependency_is_judged_neither_on_recovery_nor_on_its_probes() -> None:
    history = _outages(CANNED)

    for verdict in (checks.recovery_shows(history, _swallowed()), checks.probes_are_few(history)):
        assert (verdict.status, verdict.blame) == ("not judged", "submission")


@pytest.mark.parametrize("calls", [0, 1, checks.FEW])
def test_probes_are_few_passes(calls: int) -> None:
    assert checks.probes_are_few(_outages(calls=calls, connections=calls)).passed


@pytest.mark.parametrize(("calls", "connections"), [(100, 0), (0, 100), (checks.FEW + 1, 1)])
def test_probes_are_few_fails_where_every_caller_costs_some(calls: int, connections: int) -> None:
    verdict = checks.probes_are_few(_outages(calls=calls, connections=connections))

    assert verdict.status == "failed"
    assert str(max(calls, connections)) in verdict.actual


def test_probes_are_few_fails_where_the_crowd_is_not_answered() -> None:
    assert checks.probes_are_few(_outages(crowd=None)).status == "failed"
    assert checks.probes_are_few(_outages(crowd=(500, {}))).status == "failed"


def test_probes_are_few_is_not_judged_behind_a_rate_limit() -> None:
    verdict = checks.probes_are_few(_outages(crowd=(429, {})))

    assert (verdict.status, verdict.blame) == ("not judged", "submission")


def test_no_secrets_passes() -> None:
    assert checks.no_secrets(_outages(), _blackholes(), _swallowed()).passed


@pytest.mark.parametrize(
    ("field", "actual"),
    [
        (f"http://u:{SECRET}@qdrant", "JWT_SECRET_KEY shows in an answer 503"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl", "a token shows in an answer 503"),
    ],
)
def test_no_secrets_fails(field: str, actual: str) -> None:
    status, body = _report(["qdrant"])
    report = (status, {**body, "error": field})

    verdict = checks.no_secrets(_outages({"refused: qdrant": report}), _blackholes(), _swallowed())

    assert verdict.status == "failed"
    assert verdict.actual == actual


def test_no_secrets_is_not_judged_without_a_report() -> None:
    story = Story("outages")
    _readiness(story, "healthy", NO_PAGE)
    history = story.end()

    assert checks.no_secrets(history, history, history).status == "not judged"


CHECKED = "services:\n  api:\n    healthcheck:\n      test: curl -f http://localhost:8000/health\n"
UNCHECKED = "services:\n  api:\n    build: .\n"


@pytest.mark.parametrize("name", ["docker-compose.yml", "compose.yaml"])
def test_compose_has_health_check_passes(name: str) -> None:
    files = {"docker-compose.dev.yml": UNCHECKED, name: CHECKED}

    assert checks.compose_has_health_check(_outages(files=files)).passed


@pytest.mark.parametrize(
    ("files", "actual"),
    [
        ({}, "there is no compose file"),
        ({"compose.yaml": UNCHECKED}, "none in compose.yaml"),
        ({"compose.yaml": "services: {}"}, "no service 'api' in compose.yaml"),
        ({"compose.yaml": "services: ["}, "compose.yaml is not YAML"),
    ],
)
def test_compose_has_health_check_fails(files: Mapping[str, str], actual: str) -> None:
    verdict = checks.compose_has_health_check(_outages(files=files))

    assert verdict.status == "failed"
    assert verdict.actual == actual


def test_liveness_is_not_judged_where_several_slow_answers_met_a_stall() -> None:
    story = Story("swallowed")
    for slow in (False, True, False, True, False):
        request = story.ask("liveness", path="/health", method="GET")
        begun = story.now
        if slow:
            story.now += 1.4
            story.add(Stall(seconds=1.3))
        story.answer(request, 200, started=begun)

    verdict = checks.liveness(_outages(), _blackholes(), story.end())

    assert (verdict.status, verdict.blame) == ("not judged", "machine")
