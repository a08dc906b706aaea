import itertools
import json
from collections.abc import Sequence
from typing import Any

import pytest

from chaos.history import (
    Exited,
    Fault,
    HarnessFault,
    History,
    Log,
    Phase,
    Planted,
    Ready,
    Request,
    Signalled,
)
from chaos.keys import answer_code
from exercises.exam.ex6_structured_logging import checks, fields
from exercises.exam.ex6_structured_logging.careless import PLACES, sent_secrets
from exercises.exam.ex6_structured_logging.careless import label as careless_label
from exercises.exam.ex6_structured_logging.planted import (
    HEADER,
    HOSTILE,
    HOSTILE_PREFIX,
    KEPT,
    ODD_PREFIX,
    mark,
    planted_name,
    request_id,
)
from lab.verdict import Verdict
from tests.lab.story import Story, held_up

pytestmark = pytest.mark.medium

CROWD = 20


class Service(Story):
    """A story in which every answer has an id, and one record at its end that carries it."""

    def __init__(self, name: str, *, started: bool = True) -> None:
        self.made = (f"{name}-{number}" for number in itertools.count(1))
        super().__init__(name, started=started)

    def record(self, **fields: Any) -> None:
        defaults = {"timestamp": "2026-11-21T10:00:00Z", "level": "info", "message": "said"}
        self.log(json.dumps({**defaults, **fields}))

    def send(self, label: str, *, own: bool = True, path: str = "/llm/generate", sent: str = "") -> Request:
        """Record a request, by default with an id of its own; `{key}` in a path is its key."""
        key = next(self._keys)
        value = sent or request_id(key)
        request = Request(
            request=next(self._requests),
            label=label,
            method="POST",
            path=path.format(key=key),
            key=key,
            headers={HEADER: value} if own else {},
        )
        self.add(request)
        return request

    def reply(
        self,
        request: Request,
        status: int = 200,
        *,
        answered: str | None = "",
        logged: str | None = "",
        level: str = "",
        body: Any = None,
        after: float = 0.01,
    ) -> None:
        """Record the log record and the answer of a request; an empty id is its own, None stands for no id."""
        own = request.headers.get(HEADER) or next(self.made)
        if logged is not None:
            level = level or ("error" if status >= 500 else "info")
            self.record(
                message="request", level=level, request_id=logged or own, status=status, path=request.path
            )
        headers = {} if answered is None else {HEADER: answered or own}
        self.answer(request, status, headers=headers, body=body, after=after)

    def do(self, label: str, status: int = 200, *, calls: int = 1, **options: Any) -> None:
        """Record a request to the model from beginning to end."""
        sending = {name: options.pop(name) for name in ("own", "sent", "path") if name in options}
        request = self.send(label, **sending)
        for _ in range(calls):
            self.call(request)
        self.reply(request, status, **options)

    def _control(self) -> None:
        self.now = 1.5
        self.add(Ready())
        self.reply(self.send("login", own=False, path="/auth/login"))
        self.do("control", own=False)
        self.record(message="something was done")


def _tour(**changed: dict[str, Any] | None) -> Service:
    """Tell of one request of each kind; `changed` holds options by label with underscores, None leaves one out."""
    story = Service("every_kind")
    kinds: list[tuple[str, int, int, dict[str, Any]]] = [
        ("no-id", 200, 1, {"own": False}),
        ("own-id", 200, 1, {}),
        ("me", 200, 0, {"path": "/auth/me"}),
        ("unknown-path", 404, 0, {}),
        ("missing-prompt", 422, 0, {}),
        *((f"{HOSTILE_PREFIX}{kind}, a good answer", 200, 1, {"own": False}) for kind in HOSTILE),
        ("malformed-json", 502, 1, {}),
    ]
    for label, status, calls, options in kinds:
        if label == "unknown-path":
            story.add(Phase(name="fault"))
        change = changed.get(label.replace("-", "_"), {})
        if change is not None:
            story.do(label, **{"status": status, "calls": calls, **options, **change})
    return story


def _crowd(*, records: int = 2, spoil: Any = None) -> History:
    """Tell of requests alone, then of many at once; `spoil` returns the ids that a request's records get instead."""
    story = Service("fifty_at_once")
    for _ in range(3):
        request = story.send("solitary")
        for _ in range(records):
            story.record(request_id=request.headers[HEADER])
        story.call(request)
        story.reply(request, logged=None)
    crowd = [story.send("crowd") for _ in range(CROWD)]
    for request in crowd:
        story.call(request)
    ids = {request.request: [request.headers[HEADER]] * records for request in crowd}
    if spoil:
        spoil(crowd, ids)
    for request in crowd:
        for own in ids[request.request]:
            story.record(request_id=own)
        story.reply(request, logged=None)
    return story.end()


GOOD = _crowd()


def judge_every_line_is_json(tour: History, crowd: History, *run: History) -> Verdict:
    return checks.every_line_is_json(tour, crowd, (tour, crowd, *run))


def judge_records_have_fields(tour: History, crowd: History, *run: History) -> Verdict:
    return checks.records_have_fields(tour, crowd, (tour, crowd, *run))


def judge_every_answer_has_id(tour: History, crowd: History, *run: History) -> Verdict:
    return checks.every_answer_has_id(tour, crowd, (tour, crowd, *run))


def judge_incoming_id_is_kept(tour: History) -> Verdict:
    return checks.incoming_id_is_kept(tour, GOOD)


def judge_levels_fit(tour: History, *run: History) -> Verdict:
    return checks.levels_fit(tour, GOOD, (tour, GOOD, *run))


def judge_secrets_are_not_logged(tour: History, crowd: History, *run: History) -> Verdict:
    return checks.secrets_are_not_logged(tour, crowd, (tour, crowd, *run))


def _plus(story: Story, *lines: str) -> History:
    for line in lines:
        story.log(line)
    return story.end()


# every_line_is_json


def test_every_line_is_json_passes() -> None:
    verdict = judge_every_line_is_json(_tour().end(), GOOD)

    assert verdict.passed
    assert "each a JSON object" in verdict.actual


@pytest.mark.parametrize(
    "line", ['INFO: 127.0.0.1 - "GET /health"', "Traceback (most recent call last):", "[1]", "  File x"]
)
def test_every_line_is_json_fails_another_line(line: str) -> None:
    verdict = judge_every_line_is_json(_plus(_tour(), line), GOOD)

    assert verdict.status == "failed"
    assert isinstance(verdict.evidence[0], Log)
    assert verdict.evidence[0].text == line


def test_every_line_is_json_fails_last_words_and_the_crowd() -> None:
    story = _tour()
    story.add(Signalled(signal="SIGTERM"))
    story.log("Shutting down")
    story.add(Exited(code=-15))

    assert judge_every_line_is_json(story.end(), GOOD).status == "failed"

    crowd = Service("fifty_at_once")
    assert judge_every_line_is_json(_tour().end(), _plus(crowd, "INFO: x")).status == "failed"


def test_every_line_is_json_fails_silence() -> None:
    assert judge_every_line_is_json(Story("a").end(), Story("b").end()).status == "failed"


def test_every_line_is_json_fails_a_line_in_another_experiment() -> None:
    other = _plus(Service("mlflow_down"), "Traceback (most recent call last):")

    assert judge_every_line_is_json(_tour().end(), GOOD, other).status == "failed"


def test_every_line_is_json_leaves_what_a_killed_service_has_torn_off() -> None:
    other = Service("stuck")
    other.log('{"message": "to')
    other.add(Exited(code=137, cause="ran out of memory"))

    assert judge_every_line_is_json(_tour().end(), GOOD, other.end()).passed


def test_every_line_is_json_leaves_instances_that_did_not_start_and_experiments_that_broke_off() -> None:
    refused = Story("misconfigured", started=False)
    refused.crash(1, "JWT_SECRET_KEY is missing")
    broken = Service("drain")
    broken.log("plain")

    assert judge_every_line_is_json(_tour().end(), GOOD, refused.end(), broken._recorder.history()).passed


# records_have_fields


def test_records_have_fields_passes() -> None:
    assert judge_records_have_fields(_tour().end(), GOOD).passed


@pytest.mark.parametrize(
    ("fields", "actual"),
    [
        ({"timestamp": None}, "timestamp"),
        ({"timestamp": "noon"}, "timestamp"),
        ({"level": None}, "level"),
        ({"message": None}, "message"),
    ],
)
def test_records_have_fields_fails_one_that_is_missing(fields: dict[str, Any], actual: str) -> None:
    story = _tour()
    story.record(**fields)

    verdict = judge_records_have_fields(story.end(), GOOD)

    assert verdict.status == "failed"
    assert f"no {actual}" in verdict.actual


@pytest.mark.parametrize("label", ["own_id", "no_id", "malformed_json"])
@pytest.mark.parametrize("logged", [None, "another"])
def test_records_have_fields_fails_a_request_without_its_id(label: str, logged: str | None) -> None:
    verdict = judge_records_have_fields(_tour(**{label: {"logged": logged}}).end(), GOOD)

    assert verdict.status == "failed"
    assert "no record has the id" in verdict.actual


def test_records_have_fields_fails_a_refusal_that_is_logged_under_no_id() -> None:
    story = _tour()
    story.reply(story.send("unknown-path", path="/nowhere/{key}"), 404, logged="another")

    assert judge_records_have_fields(story.end(), GOOD).status == "failed"


def test_records_have_fields_allows_refusals_that_are_not_logged() -> None:
    story = _tour(unknown_path={"logged": None}, missing_prompt={"logged": None})

    assert judge_records_have_fields(story.end(), GOOD).passed


def test_records_have_fields_leaves_requests_with_hostile_ids() -> None:
    story = _tour()
    story.do(f"{HOSTILE_PREFIX}quotes, rubbish from the model", 500, own=False, answered=None, logged=None)

    assert judge_records_have_fields(story.end(), GOOD).passed


def test_records_have_fields_fails_without_records() -> None:
    assert judge_records_have_fields(_plus(Story("a"), "INFO: up"), GOOD).status == "failed"


def test_records_have_fields_is_not_judged_without_an_id_to_look_for() -> None:
    story = _tour(no_id={"answered": None})

    assert judge_records_have_fields(story.end(), GOOD).status == "not judged"


def test_records_have_fields_fails_a_record_in_another_experiment() -> None:
    other = Service("mlflow_down")
    other.record(level=None)

    assert "no level" in judge_records_have_fields(_tour().end(), GOOD, other.end()).actual


def _visited(*, logged: str | None, path: str = "/auth/me") -> Verdict:
    """Tell of a visit without a record of its own, and of one that names its path with the id `logged`."""
    story = _tour()
    visit = story.send("visit: me", path="/auth/me")
    fields = {} if logged is None else {"request_id": logged or visit.headers[HEADER]}
    story.record(message=f"GET {path} 200", **fields)
    story.reply(visit, logged=None)
    return judge_records_have_fields(story.end(), GOOD)


def test_records_have_fields_fails_a_path_that_is_logged_without_its_id() -> None:
    assert "visit: me" in _visited(logged=None).actual
    assert "visit: me" in _visited(logged="of-nobody").actual


def test_records_have_fields_allows_a_path_with_its_id_or_another_path() -> None:
    assert _visited(logged="").passed
    assert _visited(logged=None, path="/auth/mean").passed
    assert _visited(logged=None, path="http://127.0.0.1:4000/auth/me").passed


def test_records_have_fields_fails_a_clock_that_stands_still() -> None:
    story = _tour()
    story.now += 10
    story.record()

    assert "tells when" in judge_records_have_fields(story.end(), GOOD).expected


@pytest.mark.parametrize(
    ("seconds", "passes"),
    [
        ((0, 1, 2, 3, 4, 5, 6, 7), True),
        # What was logged within a second may be read late, after a stall of the lab's.
        ((0, 1, 2, 2, 4, 5, 6, 7), True),
        ((0, 0, 0, 0, 0, 0, 0, 0), False),
        ((0, 1, 0, 1, 0, 1, 0, 1), False),
        ((0, 1, 0, 1, 0, 1, 0, 7), False),
    ],
)
def test_records_have_fields_fails_clocks_that_stand_still(seconds: Sequence[int], *, passes: bool) -> None:
    story = Story("every_kind")
    for number, second in enumerate(seconds):
        story.now = 10.0 + 4 * number
        story.log(f'{{"time": "2026-11-21T10:00:0{second}Z", "level": "INFO", "msg": "served"}}')

    assert fields.told_in_time(story.end()).passed is passes


# every_answer_has_id


def test_every_answer_has_id_passes() -> None:
    verdict = judge_every_answer_has_id(_tour().end(), GOOD)

    assert verdict.passed
    assert "(200, 404, 422, 502)" in verdict.actual


@pytest.mark.parametrize("label", ["no_id", "unknown_path", "missing_prompt", "malformed_json"])
def test_every_answer_has_id_fails_one_without(label: str) -> None:
    verdict = judge_every_answer_has_id(_tour(**{label: {"answered": None}}).end(), GOOD)

    assert verdict.status == "failed"
    assert label.replace("_", "-") in verdict.actual


def test_every_answer_has_id_fails_one_id_for_two() -> None:
    story = _tour(no_id={"answered": "same"}, unknown_path={"answered": "same"})

    assert "for two requests" in judge_every_answer_has_id(story.end(), GOOD).actual


@pytest.mark.parametrize("status", [400, 431])
def test_every_answer_has_id_allows_a_server_that_refuses_a_hostile_head(status: int) -> None:
    story = _tour()
    story.do(_hostile_label("a null"), status, own=False, answered=None, calls=0, logged=None)

    assert judge_every_answer_has_id(story.end(), GOOD).passed
    assert checks.hostile_id_does_no_harm(story.end()).passed


def _late(status: int, body: Any) -> Verdict:
    story = _tour()
    story.add(Signalled(signal="SIGTERM"))
    story.do("last", status, own=False, answered=None, body=body)
    return judge_every_answer_has_id(story.end(), GOOD)


def test_every_answer_has_id_allows_what_the_server_says_of_a_request_that_it_cuts() -> None:
    assert _late(500, "Internal Server Error").passed


@pytest.mark.parametrize(("status", "body"), [(500, {"error": "internal"}), (503, "draining")])
def test_every_answer_has_id_fails_what_the_service_says_while_it_stops(status: int, body: Any) -> None:
    assert "(last)" in _late(status, body).actual


def test_every_answer_has_id_fails_one_without_in_another_experiment() -> None:
    other = Service("intruder")
    other.do("preflight: configured", own=False, answered=None)

    assert "preflight" in judge_every_answer_has_id(_tour().end(), GOOD, other.end()).actual


@pytest.mark.parametrize(("same", "passes"), [(4, True), (5, False)])
def test_every_answer_has_id_fails_ids_that_each_instance_counts(same: int, *, passes: bool) -> None:
    tour, other = _tour(), Service("intruder")
    for number in range(same):
        for story in (tour, other):
            story.do("counted", own=False, answered=f"{number:08x}")

    verdict = judge_every_answer_has_id(tour.end(), GOOD, other.end())

    assert verdict.passed is passes
    assert passes or "5 ids that are the same, such as '00000000'" in verdict.actual


def test_every_answer_has_id_takes_the_same_id_of_a_caller_for_no_made_one() -> None:
    tour, other = _tour(), Service("intruder")
    for number in range(9):
        for story in (tour, other):
            story.do("own-id", sent=f"caller-{number}")

    assert judge_every_answer_has_id(tour.end(), GOOD, other.end()).passed


def test_every_answer_has_id_leaves_what_the_lab_has_broken_off() -> None:
    other = Service("intruder")
    other.do("look", own=False, answered=None)
    other.add(HarnessFault(reason="the proxy is gone"))

    assert judge_every_answer_has_id(_tour().end(), GOOD, other.end()).passed


def test_every_answer_has_id_fails_two_ids_in_one_answer() -> None:
    assert "two of them" in judge_every_answer_has_id(_tour(no_id={"answered": "a1, b2"}).end(), GOOD).actual


def test_every_answer_has_id_fails_a_cached_one() -> None:
    story = _tour()
    first = story.send("own-id")
    story.reply(first)
    story.do("no-id", own=False, answered=first.headers[HEADER])

    assert "for two requests" in judge_every_answer_has_id(story.end(), GOOD).actual


# incoming_id_is_kept


def test_incoming_id_is_kept_passes() -> None:
    assert judge_incoming_id_is_kept(_tour().end()).passed


@pytest.mark.parametrize("label", ["own_id", "unknown_path", "malformed_json"])
def test_incoming_id_is_kept_fails_another(label: str) -> None:
    verdict = judge_incoming_id_is_kept(_tour(**{label: {"answered": "other"}}).end())

    assert verdict.status == "failed"
    assert "answered with other" in verdict.actual


def test_incoming_id_is_kept_fails_one_that_is_not_logged() -> None:
    verdict = judge_incoming_id_is_kept(_tour(own_id={"logged": "other"}).end())

    assert verdict.status == "failed"
    assert "is in no record" in verdict.actual


@pytest.mark.parametrize("kind", KEPT)
def test_incoming_id_is_kept_fails_a_uuid_of_any_version_that_is_replaced(kind: str) -> None:
    story = _tour()
    story.do("a good answer", sent=KEPT[kind]("ref-1"), answered="other", logged="other")

    assert judge_incoming_id_is_kept(story.end()).status == "failed"


def test_incoming_id_is_kept_allows_small_letters_for_capitals() -> None:
    story = _tour()
    sent = KEPT["UUID in capitals"]("ref-1")
    story.do("a good answer", sent=sent, answered=sent.lower(), logged=sent.lower())

    assert judge_incoming_id_is_kept(story.end()).passed


def test_records_may_have_an_id_in_small_letters() -> None:
    story = _tour()
    sent = KEPT["UUID in capitals"]("ref-1")
    story.do("own-id", sent=sent, logged=sent.lower())
    every = story.end()

    assert judge_incoming_id_is_kept(every).passed
    assert checks.records_have_fields(every, _crowd(), [every]).passed


def test_incoming_id_is_kept_allows_an_odd_one_to_be_replaced() -> None:
    story = _tour()
    story.do(f"{ODD_PREFIX}ULID", sent="01J9Z3NDEKTSV4RRFFQ69G5FAV", answered="other", logged="other")

    assert judge_incoming_id_is_kept(story.end()).passed


def test_incoming_id_is_kept_leaves_errors_without_any_id_to_their_own_criterion() -> None:
    assert judge_incoming_id_is_kept(_tour(malformed_json={"answered": None}).end()).passed


def test_incoming_id_is_kept_is_not_judged_where_nothing_was_served() -> None:
    assert judge_incoming_id_is_kept(_tour(own_id={"status": 503}).end()).status == "not judged"


# ids_hold_in_a_crowd


def test_ids_hold_in_a_crowd_passes() -> None:
    verdict = checks.ids_hold_in_a_crowd(GOOD)

    assert verdict.passed
    assert f"{CROWD} at once" in verdict.actual


def test_ids_hold_in_a_crowd_fails_ids_that_are_in_no_record() -> None:
    def lose(crowd: list[Request], ids: dict[int, list[str]]) -> None:
        for request in crowd:
            ids[request.request] = [crowd[-1].headers[HEADER]]

    verdict = checks.ids_hold_in_a_crowd(_crowd(records=1, spoil=lose))

    assert verdict.status == "failed"
    assert f"ids of {CROWD - 1} of {CROWD}" in verdict.actual


def test_ids_hold_in_a_crowd_fails_one_id_that_has_the_records_of_the_others() -> None:
    def hoard(crowd: list[Request], ids: dict[int, list[str]]) -> None:
        for request in crowd:
            ids[request.request][-1] = crowd[-1].headers[HEADER]

    verdict = checks.ids_hold_in_a_crowd(_crowd(spoil=hoard))

    assert verdict.status == "failed"
    assert f"and one request has {CROWD + 1}" in verdict.actual


def test_ids_hold_in_a_crowd_allows_records_that_fall_away_or_come_on_top() -> None:
    def fewer(crowd: list[Request], ids: dict[int, list[str]]) -> None:
        for request in crowd:
            ids[request.request].pop()

    def more(crowd: list[Request], ids: dict[int, list[str]]) -> None:
        ids[crowd[0].request] *= 10

    assert checks.ids_hold_in_a_crowd(_crowd(spoil=fewer)).passed
    assert checks.ids_hold_in_a_crowd(_crowd(spoil=more)).passed


def _two(told: Any) -> History:
    """Tell of two requests at once, with what `told` says of the first while the second is under way."""
    story = Service("fifty_at_once")
    first, second = story.send("crowd"), story.send("crowd")
    told(story, first, second)
    for request in (first, second):
        story.reply(request)
    return story.end()


@pytest.mark.parametrize("mark_of", [lambda key: key, answer_code])
def test_ids_hold_in_a_crowd_fails_a_record_about_one_with_the_id_of_another(mark_of: Any) -> None:
    def told(story: Service, first: Request, second: Request) -> None:
        story.record(message=f"text {mark_of(first.key)}", request_id=second.headers[HEADER])

    verdict = checks.ids_hold_in_a_crowd(_two(told))

    assert verdict.status == "failed"
    assert "carries the id of another" in verdict.actual


def test_ids_hold_in_a_crowd_allows_records_about_both_or_none_or_without_an_id() -> None:
    def told(story: Service, first: Request, second: Request) -> None:
        story.record(message=f"batch of {first.key} and {second.key}", request_id=second.headers[HEADER])
        story.record(message=f"access {first.key}")
        story.record(message=f"span {first.key}", trace_id="of-tracing")
        story.record(message=f"prompt {first.key}", request_id=first.headers[HEADER])

    assert checks.ids_hold_in_a_crowd(_two(told)).passed


def test_ids_hold_in_a_crowd_allows_an_answered_prompt_as_a_near_miss() -> None:
    story = Service("fifty_at_once")
    first, second = story.send("crowd"), story.send("crowd")
    story.reply(first)
    story.now += 0.1
    story.record(message=f"nearest cached prompt: {first.key}", request_id=second.headers[HEADER])
    story.reply(second)

    assert checks.ids_hold_in_a_crowd(story.end()).passed


def test_ids_hold_in_a_crowd_fails_an_incident_under_another_id() -> None:
    story = Service("fifty_at_once")
    first, second = story.send("crowd"), story.send("crowd-malformed")
    story.reply(first)
    story.record(level="error", incident_id="incident-1", request_id=first.headers[HEADER])
    story.reply(second, 502, body={"incident_id": "incident-1"})

    assert checks.ids_hold_in_a_crowd(story.end()).status == "failed"


def test_ids_hold_in_a_crowd_allows_one_incident_for_all_errors() -> None:
    story = Service("fifty_at_once")
    for _ in range(2):
        failing = story.send("crowd-malformed")
        story.record(level="error", incident_id="incident-1", request_id=failing.headers[HEADER])
        story.reply(failing, 502, body={"incident_id": "incident-1"})

    assert checks.ids_hold_in_a_crowd(story.end()).passed


def test_ids_hold_in_a_crowd_fails_an_answer_with_the_id_of_another() -> None:
    story = Service("fifty_at_once")
    first, second = story.send("crowd"), story.send("crowd")
    story.reply(first, answered=second.headers[HEADER])
    story.reply(second)

    assert "id of another" in checks.ids_hold_in_a_crowd(story.end()).actual


def test_ids_hold_in_a_crowd_takes_the_ids_that_a_service_makes_itself() -> None:
    story = Service("fifty_at_once")
    for number in range(3):
        request = story.send("crowd")
        story.reply(request, answered=f"its-{number}", logged=f"its-{number}")

    assert checks.ids_hold_in_a_crowd(story.end()).passed


def test_ids_hold_in_a_crowd_is_not_judged_without_ids() -> None:
    story = Service("fifty_at_once")
    story.reply(story.send("crowd"), answered=None)

    assert checks.ids_hold_in_a_crowd(story.end()).status == "not judged"


# levels_fit


def test_levels_fit_passes() -> None:
    assert judge_levels_fit(_tour().end()).passed


@pytest.mark.parametrize("change", [{"level": "info"}, {"logged": None}, {"logged": "another"}])
def test_levels_fit_fails_a_failure_that_is_not_told(change: dict[str, Any]) -> None:
    verdict = judge_levels_fit(_tour(malformed_json=change).end())

    assert verdict.status == "failed"
    assert "malformed-json" in verdict.actual


def test_levels_fit_asks_for_no_record_of_a_request_without_an_answer() -> None:
    story = Service("hang")
    request = story.send("hanging")
    story.call(request, status=None)
    story.fail(request)

    assert judge_levels_fit(_tour().end(), story.end()).passed


def test_levels_fit_takes_the_incident_for_the_id() -> None:
    story = _tour(malformed_json=None)
    story.record(level="warning", incident_id="incident-1")
    story.do("malformed-json", 502, logged=None, body={"incident_id": "incident-1"})

    assert judge_levels_fit(story.end()).passed


def test_levels_fit_goes_by_the_time_where_an_error_has_no_id() -> None:
    story = _tour(malformed_json=None)
    request = story.send("malformed-json", own=False)
    story.record(level="error")
    story.reply(request, 502, answered=None, logged=None)

    assert judge_levels_fit(story.end()).passed


@pytest.mark.parametrize("label", ["no_id", "own_id", "me"])
def test_levels_fit_fails_a_warning_about_what_went_well(label: str) -> None:
    verdict = judge_levels_fit(_tour(**{label: {"level": "warning"}}).end())

    assert verdict.status == "failed"
    assert label.replace("_", "-") in verdict.actual


def _warned(*, broken: bool = False, calls: int = 1) -> History:
    """Tell of a request that went well, with a warning of a library beside its own record."""
    story = Service("every_kind")
    if broken:
        story.add(Fault(name="outage", upstream="qdrant", on=True))
    request = story.send("own-id")
    for _ in range(calls):
        story.call(request)
    story.record(level="warning", message="deprecated", request_id=request.headers[HEADER])
    story.reply(request)
    story.add(Phase(name="fault"))
    story.do("malformed-json", 502)
    return story.end()


def test_levels_fit_fails_a_warning_of_a_library_beside_what_went_well() -> None:
    assert "deprecated" in judge_levels_fit(_warned()).actual


def test_levels_fit_allows_warnings_of_what_was_retried_or_met_a_fault() -> None:
    assert judge_levels_fit(_warned(calls=2)).passed
    assert judge_levels_fit(_warned(broken=True)).passed


def test_levels_fit_fails_failures_and_warnings_in_other_experiments() -> None:
    quiet = Service("breaker")
    quiet.do("failing", 503, level="info")
    assert "failing" in judge_levels_fit(_tour().end(), quiet.end()).actual

    assert "deprecated" in judge_levels_fit(_tour().end(), _warned()).actual


def test_levels_fit_allows_a_report_of_503_and_what_is_refused_after_sigterm() -> None:
    story = Service("outages")
    story.reply(story.send("down", path="/health/detailed"), 503, level="info")
    story.add(Signalled(signal="SIGTERM"))
    story.do("late", 503, level="info")

    assert judge_levels_fit(_tour().end(), story.end()).passed


@pytest.mark.parametrize(("failure", "good", "passes"), [(50, 30, True), (40, 30, True), (30, 30, False)])
def test_levels_fit_reads_numbers_as_pino_has_them(failure: int, good: int, passes: bool) -> None:  # noqa: FBT001
    story = Service("every_kind")
    for label, status, level in (("own-id", 200, good), ("malformed-json", 502, failure)):
        request = story.send(label)
        story.log(
            json.dumps(
                {"level": level, "time": 1795255200123, "msg": "request", "reqId": request.headers[HEADER]}
            )
        )
        story.reply(request, status, logged=None)

    assert judge_levels_fit(story.end()).passed == passes


def test_levels_fit_allows_a_warning_of_what_is_slow() -> None:
    assert judge_levels_fit(_tour(me={"level": "warning", "after": 1.2}).end()).passed


@pytest.mark.parametrize(("after", "passes"), [(0.02, False), (0.35, True)])
def test_levels_fit_allows_a_warning_of_what_was_slower_than_usual(*, after: float, passes: bool) -> None:
    """A cache that is given 0.3 s may be late once on a busy machine."""
    verdict = judge_levels_fit(_tour(me={"level": "warning", "after": after}).end())

    assert verdict.passed == passes


def _at_a_pace(levels: Sequence[str], *, after: float) -> str:
    """Return the verdict where good requests are recorded at these levels and each takes `after` seconds."""
    story = Service("every_kind")
    for level in levels:
        story.do("own-id", level=level, after=after)
    story.add(Phase(name="fault"))
    story.do("malformed-json", 502)
    alone = story.end()
    return checks.levels_fit(alone, alone, (alone,)).status


def test_levels_fit_fails_warnings_at_a_usual_pace_that_is_slow() -> None:
    assert _at_a_pace(["warning"] * 3, after=0.3) == "failed"


@pytest.mark.parametrize(
    ("warned", "after", "status"),
    [(1, 0.3, "not judged"), (2, 0.3, "failed"), (1, 0.2, "failed"), (0, 0.3, "passed")],
)
def test_levels_fit_leaves_one_warning_open_where_all_are_slow(
    warned: int, after: float, status: str
) -> None:
    levels = ["warning"] * warned + ["info"] * (5 - warned)

    assert _at_a_pace(levels, after=after) == status


@pytest.mark.parametrize(("later", "passes"), [(0.1, False), (2.0, True)])
def test_levels_fit_allows_a_warning_of_work_behind_an_answer(*, later: float, passes: bool) -> None:
    story = Service("every_kind")
    request = story.send("own-id")
    story.call(request)
    story.reply(request)
    story.now += later
    story.record(level="warning", message="not stored", request_id=request.headers[HEADER])
    story.now += 0.1
    story.add(Phase(name="fault"))
    story.do("malformed-json", 502)

    assert judge_levels_fit(story.end()).passed == passes


def test_levels_fit_is_not_judged_where_nothing_failed() -> None:
    assert judge_levels_fit(_tour(malformed_json=None).end()).status == "not judged"


def test_levels_fit_fails_without_records() -> None:
    story = Story("every_kind")
    story.answer(story.ask("malformed-json"), 500)

    assert judge_levels_fit(story.end()).status == "failed"


# secrets_are_not_logged


def _secretive(*lines: str) -> History:
    story = _tour()
    story.add(Planted(name="JWT_SECRET_KEY", value="8f14e45fceea167a5a36dedd4bea2543"))
    login = story.ask("login", path="/auth/login")
    story.answer(login, body={"access_token": f"eyJh.eyJz.{'s' * 43}"})
    for place in PLACES:
        story.do(careless_label(place), 401, calls=0)
    return _plus(story, *lines)


def test_secrets_are_not_logged_passes() -> None:
    assert judge_secrets_are_not_logged(_secretive('{"message": "Bearer eyJh..."}'), GOOD).passed


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("key=8f14e45fceea167a5a36dedd4bea2543", "JWT_SECRET_KEY"),
        ("key=8f14e45fceea167a...", "JWT_SECRET_KEY"),
        (f"Bearer eyJh.eyJz.{'s' * 43}", "token"),
        (f"signature {'s' * 43}", "token"),
    ],
)
def test_secrets_are_not_logged_fails_what_the_service_was_given_or_issued(line: str, what: str) -> None:
    verdict = judge_secrets_are_not_logged(_secretive(line), GOOD)

    assert verdict.status == "failed"
    assert what in verdict.actual


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("shown", [slice(None), slice(0, 16), slice(-16, None)])
def test_secrets_are_not_logged_fails_what_was_sent(place: str, shown: slice) -> None:
    [exchange] = _secretive().exchanges(careless_label(place))
    for value, what in sent_secrets(exchange.request.label, exchange.request.key or "").items():
        verdict = judge_secrets_are_not_logged(_secretive(f"got {value[shown]}"), GOOD)

        assert verdict.status == "failed"
        assert what in verdict.actual


def test_secrets_are_not_logged_names_the_field_that_a_secret_stands_in() -> None:
    trace = {"event": "failed", "exception": [{"frames": [{"locals": {"key": "8f14e45fceea167a5a36dedd"}}]}]}
    deep = "[" * 500 + '"8f14e45fceea167a5a36dedd"' + "]" * 500

    named = judge_secrets_are_not_logged(_secretive(json.dumps(trace)), GOOD)
    hidden = judge_secrets_are_not_logged(_secretive(f'{{"event": {deep}}}'), GOOD)

    assert "in the field exception.frames.locals.key of a line on stdout" in named.actual
    assert "is in a line on stdout" in hidden.actual


def test_secrets_are_not_logged_fails_a_leak_in_another_experiment() -> None:
    assert (
        judge_secrets_are_not_logged(_tour().end(), GOOD, _secretive("8f14e45fceea167a5a3")).status
        == "failed"
    )


def test_secrets_are_not_logged_looks_at_lines_before_the_start_too() -> None:
    story = Story("every_kind", started=False)
    story.add(Planted(name="AUTH_ADMIN_PASSWORD", value="8f14e45fceea167a5a36dedd4bea2543"))

    verdict = judge_secrets_are_not_logged(_plus(story, "password 8f14e45fceea167a5a36dedd4bea2543"), GOOD)

    assert verdict.status == "failed"


# hostile_id_does_no_harm


def _hostile_label(kind: str) -> str:
    return f"{HOSTILE_PREFIX}{kind}, a good answer"


def test_hostile_id_does_no_harm_passes() -> None:
    verdict = checks.hostile_id_does_no_harm(_tour().end())

    assert verdict.passed
    assert f"{len(HOSTILE)} hostile ids" in verdict.actual


WITH_MARK = [kind for kind, make in HOSTILE.items() if b"mark" in make("mark") and kind != "two headers"]


def _echoed(kind: str, *, header: str = HEADER, body: bool = False, changed: Any = str) -> Verdict:
    story = Service("every_kind")
    request = story.send(_hostile_label(kind), own=False)
    raw = changed(HOSTILE[kind](mark(request.key or "")).decode("latin-1"))
    headers = {HEADER: "made", **({} if body else {header: raw})}
    story.answer(request, headers=headers, body={"request_id": raw} if body else None)
    return checks.hostile_id_does_no_harm(story.end())


@pytest.mark.parametrize("kind", WITH_MARK)
def test_hostile_id_does_no_harm_fails_an_echo(kind: str) -> None:
    for verdict in (_echoed(kind), _echoed(kind, header="x-correlation-id"), _echoed(kind, body=True)):
        assert verdict.status == "failed"
        assert kind in verdict.actual


@pytest.mark.parametrize("kind", WITH_MARK)
def test_hostile_id_does_no_harm_allows_a_cleaned_or_shortened_one(kind: str) -> None:
    def clean(raw: str) -> str:
        return "".join(char for char in raw if char.isascii() and (char.isalnum() or char == "-"))[:128]

    assert _echoed(kind, changed=clean).status != "failed"


def _hostile(line: Any) -> Any:
    story = _tour()
    [asked] = story._recorder.history().exchanges(_hostile_label("quotes"))
    story.log(line(mark(asked.request.key or "")))
    return checks.hostile_id_does_no_harm(story.end())


def test_hostile_id_does_no_harm_fails_a_broken_line() -> None:
    assert "no JSON object" in _hostile(lambda marked: f'{{"request_id": "{marked}"x"}}').actual


def test_hostile_id_does_no_harm_fails_a_field_of_its_own() -> None:
    verdict = _hostile(lambda marked: f'{{"request_id": "{marked}", "{planted_name(marked)}": ""}}')

    assert verdict.status == "failed"
    assert "added a field" in verdict.actual


def test_hostile_id_does_no_harm_allows_a_quoted_one() -> None:
    assert _hostile(
        lambda marked: json.dumps({"rejected_id": f'{marked}","{planted_name(marked)}":"'})
    ).passed


def test_hostile_id_does_no_harm_is_not_judged_without_ids() -> None:
    story = Service("every_kind")
    story.do(_hostile_label("quotes"), own=False, answered=None)

    assert checks.hostile_id_does_no_harm(story.end()).status == "not judged"


def test_levels_fit_is_not_judged_where_a_stall_made_all_that_is_normal_slow() -> None:
    story = Service("every_kind", started=False)
    story.add(Ready())
    story.do("own-id", level="warning", after=1.2)
    story.add(Phase(name="fault"))
    story.do("malformed-json", 502)
    history = story.end()
    [own] = history.exchanges("own-id")
    assert own.end

    verdict = judge_levels_fit(held_up(history, own.end.t, 1.0))

    assert (verdict.status, verdict.blame) == ("not judged", "machine")
