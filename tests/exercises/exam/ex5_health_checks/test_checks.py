from collections.abc import Mapping
from typing import Any

import pytest

from chaos.history import Call, Event, Fault, File, History, Stall, Upstream
from exercises.exam.ex5_health_checks import checks, probes
from exercises.exam.ex5_health_checks.readiness import DEPENDENCIES
from tests.exercises.exam.ex5_health_checks.stories import (
    ALL_UP,
    BLACKHOLES,
    IN_TURN,
    NO_PAGE,
    SECRET,
    SILENT,
    Report,
    alive,
    ask,
    at_once,
    blackholes,
    outages,
    recover,
    report,
    rested,
    swallowed,
    walk,
)
from tests.lab.story import Story


def living(status: int | str = 200, *, after: float = 0.01, times: int = 5) -> History:
    story = Story("swallowed")
    alive(story, status, after=after, times=times)
    return story.end()


def with_events(history: History, *events: Event) -> History:
    return History([*history.events[:-1], *events, history.events[-1]])


# 5.1


def test_liveness_passes() -> None:
    assert checks.liveness(outages(), blackholes(), living()).passed


def test_liveness_forgives_one_slow_sample_and_what_a_rate_limit_refuses() -> None:
    story = Story("swallowed")
    alive(story, after=1.8, times=1)
    alive(story, 429, times=4)
    alive(story)

    assert checks.liveness(outages(), blackholes(), story.end()).passed


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
    verdict = checks.liveness(outages(), blackholes(), living(status, after=after))

    assert verdict.status == "failed"
    assert actual in verdict.actual
    assert verdict.evidence


@pytest.mark.parametrize(("count", "status"), [(9, "passed"), (10, "failed"), (20, "failed")])
def test_liveness_asks_nobody(count: int, status: str) -> None:
    verdict = checks.liveness(outages(for_liveness=count), blackholes(), living())

    assert verdict.status == status
    if status == "failed":
        assert verdict.actual == f"20 calls of it caused {count} calls of litellm"


@pytest.mark.parametrize("slow", [(True, True, True), (False, True, False, True, False)])
def test_liveness_is_not_judged_where_slow_answers_met_a_stall(slow: tuple[bool, ...]) -> None:
    story = Story("swallowed")
    for one in slow:
        request = story.ask("liveness", path="/health", method="GET")
        begun = story.now
        if one:
            story.now += 1.4
            story.add(Stall(seconds=1.3))
        story.answer(request, 200, started=begun)

    verdict = checks.liveness(outages(), blackholes(), story.end())

    assert (verdict.status, verdict.blame) == ("not judged", "machine")


@pytest.mark.parametrize(
    ("before", "after", "status"), [(3, 0, "passed"), (7, 0, "failed"), (0, 3, "failed")]
)
def test_liveness_that_is_slow_now_and_then_with_nothing_broken_is_the_machines(
    before: int, after: int, status: str
) -> None:
    story = Story("swallowed")
    alive(story, after=1.4, times=before)
    alive(story, times=5)
    story.add(Fault(upstream="qdrant", name="hang", on=True))
    alive(story, after=1.4, times=after)
    alive(story, times=5)

    assert checks.liveness(outages(), blackholes(), story.end()).status == status


def test_liveness_is_not_judged_behind_a_rate_limit() -> None:
    assert checks.liveness(outages(), blackholes(), living(429)).status == "not judged"


# 5.2


def test_readiness_passes() -> None:
    assert checks.readiness(outages()).passed


@pytest.mark.parametrize(
    ("told", "actual"),
    [
        (NO_PAGE, "404, which names no dependency"),
        ((200, {"status": "ok"}), "200, which names no dependency"),
        ((200, {"qdrant": True, "litellm": True}), "200: qdrant true, litellm true, mlflow not there"),
        ((200, {"a": True, "b": True, "c": True}), "200, which names no dependency"),
        (report(["mlflow"]), "503: qdrant true, litellm true, mlflow false"),
        ((503, ALL_UP[1]), "503: qdrant true, litellm true, mlflow true"),
    ],
)
def test_readiness_fails(told: Report, actual: str) -> None:
    verdict = checks.readiness(outages({"healthy": told}))

    assert verdict.status == "failed"
    assert verdict.actual == actual


def test_readiness_fails_where_one_of_several_callers_gets_something_else() -> None:
    story = Story("outages")
    at_once(story, "healthy", [ALL_UP, ALL_UP, (500, {}), ALL_UP])

    assert checks.readiness(story.end()).status == "failed"


def test_readiness_leaves_out_what_a_rate_limit_keeps_back() -> None:
    story = Story("outages")
    at_once(story, "healthy", [ALL_UP, (429, {}), ALL_UP])

    assert checks.readiness(story.end()).passed


# 5.3


def test_outages_show_passes() -> None:
    verdict = checks.outages_show(outages(), blackholes(), swallowed(), rested())

    assert verdict.passed
    assert "qdrant down: shown after 30 s" in verdict.actual
    assert "litellm, mlflow down" in verdict.actual


@pytest.mark.parametrize("label", IN_TURN)
@pytest.mark.parametrize(
    "told",
    [ALL_UP, NO_PAGE, (500, {}), (503, {"status": "unhealthy"}), (200, report(DEPENDENCIES)[1]), None],
    ids=["all up", "no page", "500", "no flags", "200", "no answer"],
)
def test_outages_show_fails(told: Report | None, label: str) -> None:
    verdict = checks.outages_show(outages({label: told}), blackholes(), swallowed(), rested())

    assert verdict.status == "failed"
    assert "503 with" in verdict.expected
    assert any(isinstance(event, Fault) for event in verdict.evidence)


@pytest.mark.parametrize("missed", ["litellm", "mlflow"])
def test_outages_show_fails_where_one_of_two_is_left_out(missed: Upstream) -> None:
    label = "litellm 500, mlflow reset"
    [seen] = set(IN_TURN[label]) - {missed}

    verdict = checks.outages_show(outages({label: report([seen])}), blackholes(), swallowed(), rested())

    assert verdict.status == "failed"
    assert "litellm answers 500 and mlflow resets connections" in verdict.expected


def test_outages_show_fails_where_what_was_up_falls_with_others() -> None:
    told = report(["qdrant", "mlflow"])
    verdict = checks.outages_show(outages({"qdrant refused": told}), blackholes(), swallowed(), rested())

    assert verdict.status == "failed"
    assert verdict.actual == "503: qdrant false, litellm true, mlflow false"


@pytest.mark.parametrize(
    ("reports", "passes"),
    [
        ([report(["qdrant"])], True),
        ([ALL_UP, report(["mlflow"])], True),  # asked by itself, a little later
        ([ALL_UP, report(["qdrant"])], False),  # the report before, each time
        ([ALL_UP, ALL_UP], False),
        ([ALL_UP], False),
        ([report(["mlflow"]), report(["qdrant"])], False),
        ([None, report(["qdrant"])], False),
        ([], True),
    ],
)
def test_outages_show_judges_the_first_report_after_a_rest(
    reports: list[Report | None], *, passes: bool
) -> None:
    verdict = checks.outages_show(outages(), blackholes(), swallowed(), rested(*reports))

    assert verdict.passed is passes
    assert passes or "without a caller shows that qdrant refuses connections" in verdict.expected


def test_outages_show_judges_what_breaks_in_other_experiments_too() -> None:
    assert (
        checks.outages_show(outages(), blackholes({"mlflow 502": ALL_UP}), swallowed(), rested()).status
        == "failed"
    )


def test_outages_show_fails_where_callers_at_once_get_different_reports() -> None:
    story = Story("outages")
    ask(story, "healthy", ALL_UP)
    story.add(Fault(name="outage", upstream="qdrant", on=True))
    down = report(["qdrant"])
    ask(story, "down", down)
    at_once(story, "down", [down, ALL_UP, down])

    assert checks.outages_show(story.end(), blackholes(), swallowed(), rested()).status == "failed"


STUCK: dict[str, Report | None] = {
    "litellm 500, mlflow reset": report(DEPENDENCIES),
    "litellm closed": report(DEPENDENCIES),
    "recovered": report(DEPENDENCIES),
}


def test_outages_show_leaves_what_does_not_recover_to_the_criterion_on_recovery() -> None:
    assert checks.outages_show(outages(STUCK), blackholes(), swallowed(), rested()).passed
    assert checks.recovery_shows(outages(STUCK), blackholes(), swallowed()).status == "failed"


# 5.4


@pytest.mark.parametrize(
    "times",
    [{}, {"mlflow hangs": 5.0, "all hang": 5.1}, {"all hang": 10.5, "qdrant hangs": 10.5}],
    ids=["two seconds each", "one slower", "at the limit"],
)
def test_hanging_is_bounded_passes(times: Mapping[str, float]) -> None:
    assert checks.hanging_is_bounded(blackholes(times=times), swallowed()).passed


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ({"litellm hangs": 11.5}, "within 10 s: litellm takes no connections"),
        ({"all hang": 6.0}, "as with the slowest one"),
    ],
)
def test_hanging_is_bounded_fails_late_answers(times: Mapping[str, float], expected: str) -> None:
    verdict = checks.hanging_is_bounded(blackholes(times=times), swallowed())

    assert verdict.status == "failed"
    assert expected in verdict.expected


@pytest.mark.parametrize("label", ["qdrant hangs", "all hang"])
@pytest.mark.parametrize("told", [ALL_UP, NO_PAGE, (500, {}), None])
def test_hanging_is_bounded_fails_other_reports_and_none(told: Report | None, label: str) -> None:
    assert checks.hanging_is_bounded(blackholes({label: told}), swallowed()).status == "failed"


@pytest.mark.parametrize("label", SILENT)
def test_hanging_is_bounded_asks_for_more_than_a_connection(label: str) -> None:
    verdict = checks.hanging_is_bounded(blackholes(), swallowed({label: ALL_UP}))

    assert verdict.status == "failed"
    assert "503 with" in verdict.expected


def test_hanging_is_bounded_fails_where_what_is_silent_is_awaited() -> None:
    verdict = checks.hanging_is_bounded(blackholes(), swallowed(times={"litellm late": 14}))

    assert verdict.status == "failed"
    assert "litellm answers after 20 s" in verdict.expected


def test_hanging_is_bounded_fails_where_a_crowd_waits() -> None:
    verdict = checks.hanging_is_bounded(blackholes(), swallowed(after=0.2))

    assert verdict.status == "failed"
    assert "crowd" in verdict.expected


def _wait_for_silent(story: Story, seconds: float, stall: float) -> None:
    """Have a report take so many seconds while Qdrant is silent, in `stall` of which the lab stands still."""
    request = story.ask("qdrant silent", path="/health/detailed", method="GET")
    begun = story.now
    story.now += seconds - 1
    if stall:
        story.add(Stall(seconds=stall))
    story.answer(request, 503, after=1, started=begun, body=report(["qdrant"])[1])


def _stalled(*more: tuple[float, float]) -> History:
    """Tell of a late answer that a stall made late, and of `more`: the seconds of others, and of stalls in them."""
    story = Story("swallowed")
    ask(story, "healthy", ALL_UP)
    story.add(Fault(name="hang", upstream="qdrant", on=True))
    for seconds, stall in ((13.0, 6.0), *more):
        _wait_for_silent(story, seconds, stall)
    return story.end()


def test_hanging_is_bounded_blames_the_machine_where_the_lab_stood_still() -> None:
    verdict = checks.hanging_is_bounded(blackholes(), _stalled())

    assert (verdict.status, verdict.blame) == ("not judged", "machine")


@pytest.mark.parametrize(
    ("alone", "stall", "together", "status"),
    [
        (3.1, 0.0, 3.2, "passed"),
        (3.1, 2.2, 3.2, "not judged"),
        (3.1, 2.2, 9.0, "failed"),
        (8.0, 6.0, 9.0, "not judged"),
    ],
)
def test_a_stall_makes_the_measure_uncertain_that_others_are_held_to(
    alone: float, stall: float, together: float, status: str
) -> None:
    story = Story("swallowed")
    ask(story, "healthy", ALL_UP)
    story.add(Fault(name="hang", upstream="qdrant", on=True))
    _wait_for_silent(story, alone, stall)
    for upstream in DEPENDENCIES[1:]:
        story.add(Fault(name="hang", upstream=upstream, on=True))
    ask(story, "all silent", report(DEPENDENCIES), after=together)

    assert checks.hanging_is_bounded(_each_alone(), story.end()).status == status


@pytest.mark.parametrize(
    ("limits", "together", "fine"),
    [
        ((1.0, 1.0, 5.0), 7.0, False),
        ((1.0, 1.0, 5.0), 6.4, True),
        ((2.0, 2.0, 2.0), 3.9, True),
        ((0.5, 0.5, 5.0), 6.0, True),
    ],
)
def test_hanging_is_bounded_knows_the_sum_of_all_limits(
    limits: tuple[float, ...], together: float, *, fine: bool
) -> None:
    alone = {f"{one} hangs": seconds for one, seconds in zip(DEPENDENCIES, limits, strict=True)}
    walked = blackholes(times={**alone, "all hang": together})

    assert checks.hanging_is_bounded(walked, Story("swallowed").end()).passed is fine


def _each_alone() -> History:
    return blackholes(times={**{f"{one} hangs": 0.5 for one in DEPENDENCIES}, "all hang": 0.5})


def test_the_slowest_is_not_known_where_one_was_never_alone() -> None:
    """A report that is kept for long leaves no time for each; the one that hung first may have the shortest limit."""
    story = Story("swallowed")
    ask(story, "healthy", ALL_UP)
    story.add(Fault(name="hang", upstream=DEPENDENCIES[0], on=True))
    ask(story, "one silent", report(DEPENDENCIES[:1]), after=1.0)
    for upstream in DEPENDENCIES[1:]:
        story.add(Fault(name="hang", upstream=upstream, on=True))
    ask(story, "all silent", report(DEPENDENCIES), after=5.0)

    assert checks.hanging_is_bounded(Story("blackholes").end(), story.end()).passed
    assert checks.hanging_is_bounded(_each_alone(), story.end()).status == "failed"


@pytest.mark.parametrize("more", [(13.0, 0.0), (13.0, 1.0)])
def test_a_stall_excuses_no_other_late_answer(more: tuple[float, float]) -> None:
    assert checks.hanging_is_bounded(blackholes(), _stalled(more)).status == "failed"


def test_a_broken_answer_is_not_the_machine_s_fault() -> None:
    story = Story("swallowed")
    ask(story, "healthy", ALL_UP)
    story.add(Fault(name="hang", upstream="qdrant", on=True))
    story.fail(story.ask("qdrant silent", path="/health/detailed", method="GET"), "eof", after=2.0)
    ask(story, "qdrant silent", report(["qdrant"]))

    assert checks.hanging_is_bounded(blackholes(), story.end()).status == "failed"


# 5.5


def test_recovery_shows_passes() -> None:
    assert checks.recovery_shows(outages(), blackholes(), swallowed()).passed


@pytest.mark.parametrize("experiment", ["outages", "swallowed"])
def test_recovery_shows_fails_where_a_dependency_stays_down(experiment: str) -> None:
    still: dict[str, Report | None] = {"recovered": report(["mlflow"])}
    histories = {"outages": outages(), "swallowed": swallowed()}
    histories[experiment] = (outages if experiment == "outages" else swallowed)(still)

    verdict = checks.recovery_shows(blackholes=blackholes(), **histories)

    assert verdict.status == "failed"
    assert verdict.actual == "503: qdrant true, litellm true, mlflow false"


def test_recovery_shows_fails_where_one_recovers_with_the_last_of_them_only() -> None:
    told = {"litellm 500, mlflow reset": report(DEPENDENCIES)}
    verdict = checks.recovery_shows(outages(told), blackholes(), swallowed())

    assert verdict.status == "failed"
    assert verdict.expected == "qdrant true within 35 s after it is back"


def test_recovery_shows_leaves_a_report_without_flags_to_the_criterion_on_outages() -> None:
    told: dict[str, Report | None] = {"litellm 500, mlflow reset": (500, {"detail": "Internal Server Error"})}

    assert checks.recovery_shows(outages(told), blackholes(), swallowed()).passed
    assert checks.outages_show(outages(told), blackholes(), swallowed(), rested()).status == "failed"


def test_recovery_shows_fails_where_some_callers_still_get_the_old_report() -> None:
    story = Story("outages")
    ask(story, "healthy", ALL_UP)
    walk(story, IN_TURN, {})
    recover(story, ALL_UP)
    at_once(story, "recovered", [ALL_UP, ALL_UP, report(["qdrant"]), ALL_UP])

    assert checks.recovery_shows(story.end(), blackholes(), swallowed()).status == "failed"


CANNED: dict[str, Report | None] = dict.fromkeys([*IN_TURN, *BLACKHOLES, *SILENT], ALL_UP)


def test_what_follows_no_dependency_is_judged_neither_on_recovery_nor_on_its_probes() -> None:
    story = Story("outages")
    ask(story, "healthy", ALL_UP)
    for one in DEPENDENCIES:
        story.add(Fault(name="outage", upstream=one, on=True))
        ask(story, f"{one} refused", ALL_UP)
    at_once(story, "crowd: all up", [ALL_UP] * 20)
    history = story.end()

    for verdict in (
        checks.recovery_shows(history, history, history),
        checks.probes_are_few(history, history, history),
    ):
        assert (verdict.status, verdict.blame) == ("not judged", "submission")


# 5.6


@pytest.mark.parametrize("count", [0, 1, probes.FEW])
def test_probes_are_few_passes(count: int) -> None:
    assert checks.probes_are_few(outages(probes=count, connections=count), blackholes(), swallowed()).passed


@pytest.mark.parametrize(("count", "connections"), [(100, 0), (0, 100), (probes.FEW + 1, 1)])
def test_probes_are_few_fails_where_every_caller_costs_some(count: int, connections: int) -> None:
    history = outages(probes=count, connections=connections)
    verdict = checks.probes_are_few(history, blackholes(), swallowed())

    assert verdict.status == "failed"
    assert str(max(count, connections)) in verdict.actual


def test_probes_are_few_fails_where_callers_cost_some_while_one_hangs() -> None:
    verdict = checks.probes_are_few(outages(), blackholes(), swallowed(probes=100))

    assert verdict.status == "failed"
    assert "qdrant hangs" in verdict.expected


@pytest.mark.parametrize("told", [None, (500, {})])
def test_probes_are_few_fails_where_the_crowd_is_not_answered(told: Report | None) -> None:
    assert checks.probes_are_few(outages(crowd=told), blackholes(), swallowed()).status == "failed"


def test_probes_are_few_is_not_judged_behind_a_rate_limit() -> None:
    verdict = checks.probes_are_few(outages(crowd=(429, {})), blackholes(), swallowed())

    assert (verdict.status, verdict.blame) == ("not judged", "submission")


def _call(**details: Any) -> Call:
    given = {
        "method": "GET",
        "path": "/health/liveliness",
        "upstream": "litellm",
        "counted": False,
        **details,
    }
    return Call(call=9000, connection=1, t=500, **given)


@pytest.mark.parametrize(
    "call",
    [
        _call(path="/health"),
        _call(path="/health/"),
        _call(method="POST", path="/v1/chat/completions", counted=True),
        _call(method="POST", path="/v1/embeddings"),
    ],
)
def test_probes_are_few_fails_where_a_report_makes_the_model_work(call: Call) -> None:
    verdict = checks.probes_are_few(with_events(outages(), call), blackholes(), swallowed())

    assert verdict.status == "failed"
    assert verdict.actual == f"{call.method} {call.path}"


@pytest.mark.parametrize(
    "call",
    [
        _call(path="/health/readiness"),
        _call(path="/v1/models"),
        _call(path="/"),
        _call(path="/health", upstream="mlflow"),
        _call(method="POST", path="/v1/embeddings", key="ref-1"),
    ],
)
def test_probes_are_few_passes_what_costs_nothing(call: Call) -> None:
    assert checks.probes_are_few(with_events(outages(), call), blackholes(), swallowed()).passed


# 5.7


def test_no_secrets_passes() -> None:
    assert checks.no_secrets(outages(), blackholes(), swallowed()).passed


TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl"


@pytest.mark.parametrize(
    ("field", "actual"),
    [
        (f"http://u:{SECRET}@qdrant", "JWT_SECRET_KEY appears in a 503 answer"),
        (TOKEN, "a token appears in a 503 answer"),
    ],
)
def test_no_secrets_fails(field: str, actual: str) -> None:
    status, body = report(["qdrant"])
    told = {"qdrant refused": (status, {**body, "error": field})}

    verdict = checks.no_secrets(outages(told), blackholes(), swallowed())

    assert verdict.status == "failed"
    assert verdict.actual == actual


def test_no_secrets_fails_where_one_shows_to_those_who_ask_otherwise() -> None:
    told = (200, {**ALL_UP[1], "environment": {"JWT_SECRET_KEY": SECRET}})

    assert checks.no_secrets(outages(otherwise=told), blackholes(), swallowed()).status == "failed"


def test_no_secrets_fails_where_one_shows_in_a_header() -> None:
    verdict = checks.no_secrets(outages(headers={"x-debug": SECRET}), blackholes(), swallowed())

    assert verdict.status == "failed"
    assert verdict.actual == "JWT_SECRET_KEY appears in a 200 answer in a header"


def test_no_secrets_is_not_judged_without_a_report() -> None:
    story = Story("outages")
    ask(story, "healthy", NO_PAGE)
    history = story.end()

    assert checks.no_secrets(history, history, history).status == "not judged"


# Other layouts: what follows the dependency is its flag.


def test_of_two_that_could_be_the_flag_the_one_that_follows_counts() -> None:
    def told(down: frozenset[Upstream]) -> Report:
        flags = {f"{one}_state": "KO" if one in down else "OK" for one in DEPENDENCIES}
        enabled = dict.fromkeys(DEPENDENCIES, True)
        return (503 if down else 200), {**enabled, **flags}

    reports = {label: told(frozenset(faults)) for label, faults in IN_TURN.items()}
    history = outages({"healthy": told(frozenset()), "recovered": told(frozenset()), **reports})

    assert checks.readiness(history).passed
    assert checks.outages_show(history, blackholes(), swallowed(), rested()).passed
    assert checks.recovery_shows(history, blackholes(), swallowed()).passed


# 5.8


CHECKED = "services:\n  api:\n    healthcheck:\n      test: curl -f http://localhost:8000/health\n"
UNCHECKED = "services:\n  api:\n    build: .\n"


def _files(files: Mapping[str, str]) -> History:
    story = Story("compose_files", started=False)
    for path, text in files.items():
        story.add(File(path=path, text=text))
    return story.end()


@pytest.mark.parametrize("name", ["docker-compose.yml", "compose.yaml"])
def test_compose_has_health_check_passes(name: str) -> None:
    files = {"docker-compose.dev.yml": UNCHECKED, name: CHECKED, ".pre-commit.yaml": "["}

    assert checks.compose_has_health_check(_files(files)).passed


@pytest.mark.parametrize(
    ("files", "actual"),
    [
        ({}, "there is no compose file"),
        ({"mkdocs.yml": CHECKED}, "there is no compose file"),
        ({"compose.yaml": UNCHECKED}, "compose.yaml: none"),
        ({"compose.yaml": "services: {}"}, "compose.yaml: no service 'api'"),
        ({"compose.yaml": "services: ["}, "compose.yaml is not YAML"),
        ({"compose.yaml": CHECKED.replace("curl", "true # curl")}, None),
    ],
)
def test_compose_has_health_check_fails(files: Mapping[str, str], actual: str | None) -> None:
    verdict = checks.compose_has_health_check(_files(files))

    assert verdict.status == "failed"
    assert actual is None or verdict.actual == actual
