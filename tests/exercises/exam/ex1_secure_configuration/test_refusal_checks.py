import random
from collections.abc import Callable, Mapping

import pytest

from chaos.history import Event, Exited, History, Launched, Log, Ready
from exercises.exam.ex1_secure_configuration import checks, refusal_checks, starts
from lab.verdict import Verdict
from tests.exam import CONTRACT
from tests.lab.story import Story

SECRETS = CONTRACT.draw(random.Random(1))
MISSING_KEY = starts.missing_key(CONTRACT)
PUBLISHED = starts.published_names(CONTRACT)
ELSEWHERE = tuple(starts.keys_elsewhere(CONTRACT))
LONGER = tuple(starts.longer_key(CONTRACT, kind, "secret0") for kind in starts.LONGER_KEYS.values)
ROWS = {starts.group(row): list(row) for row in starts.rows(CONTRACT, SECRETS, random.Random(1).choice)}


def _start(story: Story, instance: str, *events: Event, after: float = 1.0) -> None:
    """Tell that an instance was launched and what became of it."""
    story.add(Launched(instance=instance, command="uvicorn", cwd="/srv"))
    story.now += after
    for event in events:
        story.add(event.model_copy(update={"instance": instance}))


def _refusal(*variables: str, code: int = 1, text: str = "{} is required") -> list[Event]:
    return [*(Log(stream="stderr", text=text.format(one)) for one in variables), Exited(code=code)]


def _told(
    outcomes: Mapping[str, list[Event]] | None = None, *, after: float = 1.0, usual: float = 1.5
) -> History:
    """Tell of every instance that it refused to start, but for those in `outcomes`."""
    story = Story("exposed", started=False)
    story.now = usual
    story.add(Ready())
    keys = (MISSING_KEY, *PUBLISHED, *ELSEWHERE, *LONGER)
    variables = {**{key: ["JWT_SECRET_KEY"] for key in keys}, **ROWS}
    for instance, named in variables.items():
        _start(story, instance, *((outcomes or {}).get(instance) or _refusal(*named)), after=after)
    return story.end()


def _all_refused(history: History) -> list[Verdict]:
    return [
        checks.needs_its_key(history),
        checks.refuses_insecure_keys(history),
        checks.refuses_malformed_values(history),
        checks.refuses_longer_variants_of_well_known_keys(history),
    ]


def test_refusals_pass() -> None:
    for verdict in _all_refused(_told()):
        assert verdict.passed
        assert verdict.evidence


@pytest.mark.parametrize("code", [1, 3, 78, 255, -6])
def test_any_failing_exit_code_passes(code: int) -> None:
    refusal = _refusal("JWT_SECRET_KEY", code=code)

    assert checks.needs_its_key(_told({MISSING_KEY: refusal})).passed


@pytest.mark.parametrize(
    "text",
    ["KeyError: '{}'", "jwt_secret_key\n  Field required", "JWT secret key is not set", "jwt-secret-key?"],
)
def test_the_variable_may_be_named_in_the_service_s_own_words(text: str) -> None:
    refusal = _refusal("JWT_SECRET_KEY", text=text)

    assert checks.needs_its_key(_told({MISSING_KEY: refusal})).passed


@pytest.mark.parametrize("judge", [checks.needs_its_key, checks.refuses_insecure_keys])
def test_a_key_is_refused_where_the_environment_is_not_named_either(
    judge: Callable[[History], Verdict],
) -> None:
    assert judge(_told({instance: _refusal("ENVIRONMENT") for instance in ELSEWHERE})).passed

    verdict = judge(_told({instance: [Ready()] for instance in ELSEWHERE}))

    assert verdict.status == "failed"
    assert "and no ENVIRONMENT" in verdict.expected


BAD_STARTS = [
    ([Ready()], "it started and answered after 1.0 s"),
    ([*_refusal("JWT_SECRET_KEY")[:1], Ready(), Exited(code=1)], "it started"),
    ([Exited(code=-9, cause=refusal_checks.KILLED)], "neither exited nor answered"),
    ([], "neither exited nor answered"),
    (_refusal("JWT_SECRET_KEY", code=0), "exited with code 0"),
    ([Exited(code=1)], "does not name"),
    ([Log(stream="stderr", text="ValueError: bad settings"), Exited(code=1)], "does not name"),
    ([Log(stream="stderr", text="SECRET_KEY or JWT_SECRET missing"), Exited(code=1)], "does not name"),
    ([*_refusal("JWT_SECRET_KEY")[:1], Exited(code=-9, cause="printed too much")], "it printed too much"),
]


def _with_no_outcome(instance: str) -> History:
    return History(
        event
        for event in _told().events
        if getattr(event, "instance", None) != instance or isinstance(event, Launched)
    )


@pytest.mark.parametrize(("outcome", "actual"), BAD_STARTS)
def test_needs_its_key_fails(outcome: list[Event], actual: str) -> None:
    history = _told({MISSING_KEY: outcome}) if outcome else _with_no_outcome(MISSING_KEY)

    verdict = checks.needs_its_key(history)

    assert verdict.status == "failed"
    assert actual in verdict.actual
    assert verdict.evidence


@pytest.mark.parametrize("instance", PUBLISHED)
def test_refuses_insecure_keys_fails_where_one_is_accepted(instance: str) -> None:
    verdict = checks.refuses_insecure_keys(_told({instance: [Ready()]}))

    assert verdict.status == "failed"
    assert instance in verdict.expected


@pytest.mark.parametrize("instance", LONGER)
def test_a_longer_variant_that_is_accepted_fails_a_criterion_of_its_own(instance: str) -> None:
    history = _told({instance: [Ready()]})

    verdict = checks.refuses_longer_variants_of_well_known_keys(history)

    assert verdict.status == "failed"
    assert instance in verdict.expected
    assert checks.refuses_insecure_keys(history).passed


@pytest.mark.parametrize("instance", ROWS)
def test_refuses_malformed_values_fails_where_a_row_is_accepted_or_nothing_is_named(instance: str) -> None:
    accepted: list[Event] = [Ready()]
    for outcome in (accepted, _refusal("JWT_SECRET_KEY")):
        verdict = checks.refuses_malformed_values(_told({instance: outcome}))

        assert verdict.status == "failed"
        assert all(variable in verdict.expected for variable in ROWS[instance])


@pytest.mark.parametrize("variable", ["QDRANT_URL", "AUTH_USER_PASSWORD"])
def test_refuses_malformed_values_fails_where_what_is_left_is_accepted(variable: str) -> None:
    story = Story("exposed", started=False)
    for instance, named in ROWS.items():
        _start(story, instance, *_refusal(*named))
    left = starts.group({variable: starts.Bad("missing", None)})
    _start(story, left, Ready())

    verdict = checks.refuses_malformed_values(story.end())

    assert verdict.status == "failed"
    assert left in verdict.expected


def test_an_instance_that_was_not_started_is_not_judged() -> None:
    everything = {MISSING_KEY, *PUBLISHED, *LONGER, *ROWS}
    history = History(event for event in _told().events if getattr(event, "instance", None) not in everything)

    for verdict in _all_refused(history):
        assert (verdict.status, verdict.blame) == ("not judged", "harness")


def test_the_last_start_counts_where_the_port_was_lost_to_another_program() -> None:
    story = Story("exposed")
    _start(story, MISSING_KEY, Log(stream="stderr", text="address already in use"), Exited(code=1))
    for instance in (MISSING_KEY, *ELSEWHERE):
        _start(story, instance, *_refusal("JWT_SECRET_KEY"))

    assert checks.needs_its_key(story.end()).passed


def test_a_service_that_needs_long_to_start_has_longer_to_refuse() -> None:
    assert starts.patience(1.5) == 20
    assert starts.patience(15) == 30
    verdict = checks.needs_its_key(_told({MISSING_KEY: [Ready()]}, usual=15))
    assert "within 30 s" in verdict.expected
