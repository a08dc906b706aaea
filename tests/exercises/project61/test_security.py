"""The checks of part 2 on histories that are written by hand."""

import base64
import json
from collections.abc import Mapping
from typing import Any

import pytest

from chaos.history import Call, Database, Exited, Given, History, Launched, Log, Phase, Planted, Ready, Stall
from chaos.stand_in import TOO_LARGE
from exercises.project61.part2_security import checks
from exercises.project61.part2_security.axes import OUTAGES
from exercises.project61.part2_security.limits import ANOTHER, API_KEY, STREAM, beyond_label, burst_label
from exercises.project61.part2_security.readable import readable_form
from lab.control import LOGIN_LABEL
from lab.lab import SECOND
from lab.tokens import signed
from lab.verdict import Verdict
from tests.exercises.project61.record import Record, used

KEY = "llm_Zq81Kd02mXcv77Lp_9fJ2mQx7RtY0aB3cD4eF5gH6iJ7kL8mN9oP0qR1sT2u"
PASSWORD = "6f1c0d5a7b3e92466a0c4d1e5f7b8a9c"
MADE = {"id": "k1", "key": KEY}
LIMITS = {"free": "5/minute", "premium": "12/minute", "enterprise": "20/minute"}
REFUSED = {"error": {"message": "Slow down.", "type": "rate_limit_error", "code": None, "param": None}}
TOLD = {
    "retry-after": "31",
    "x-ratelimit-limit": "5",
    "x-ratelimit-remaining": "0",
    "x-ratelimit-reset": "31",
}


def assert_failed(verdict: Verdict, actual: str) -> None:
    assert verdict.status == "failed", verdict
    assert actual in verdict.actual


@pytest.mark.parametrize(
    ("status", "calls", "actual"),
    [
        (401, (), ""),
        (200, (), "200 after"),
        (403, (), "403 after"),
        (401, (0.001,), "the backend was called"),
    ],
)
def test_a_forged_token_is_401_and_calls_nothing(status: int, calls: tuple[float, ...], actual: str) -> None:
    history = Record().asked("forged: expired", status, key="ref-1", calls=calls).history

    verdict = checks.tokens_are_checked(history)

    assert verdict.passed if not actual else verdict.status == "failed" and actual in verdict.actual


@pytest.mark.parametrize(
    ("status", "fine"), [(401, True), (429, True), (200, False), (500, False), (None, False)]
)
def test_a_password_that_is_guessed_opens_nothing(status: int | None, *, fine: bool) -> None:
    record = Record().asked("forged: expired", 401).asked("guessed: a letter more", status)

    assert checks.tokens_are_checked(record.history).passed is fine


DATE = {"date": "Sat, 28 Nov 2026 12:00:00 GMT"}
NOON = 1_795_867_200


@pytest.mark.parametrize(
    ("claims", "fine"),
    [
        ({"sub": "ada", "exp": NOON + 3600}, True),
        ({"sub": "ada", "valid_until": NOON + 60.5}, True),
        ({"sub": "ada"}, False),
        ({"sub": "ada", "iat": NOON}, False),
        ({"sub": "ada", "exp": (NOON + 3600) * 1000}, False),
        (None, True),
    ],
)
def test_a_token_ends(claims: dict[str, Any] | None, *, fine: bool) -> None:
    token = "opaque-0a1b2c" if claims is None else signed(claims, "k" * 64)
    record = Record().asked(LOGIN_LABEL, body={"access_token": token}, headers=DATE)

    verdict = checks.tokens_are_checked(record.asked("forged: expired", 401).history)

    assert verdict.passed is fine
    assert fine or "none is a time that lies ahead" in verdict.actual


def keys(**changes: Any) -> History:
    """Return a history of a key's life, in which answers are changed by the last word of their labels."""
    record = Record()
    for label, status, body in (
        ("key: create", 201, MADE),
        ("key: as Bearer", 200, ""),
        ("key: as X-API-Key", 200, ""),
        ("key: list", 200, {"data": [{"id": "k1", "name": "n"}]}),
        ("key: revoke", 204, ""),
        ("key: revoked as Bearer", 401, ""),
        ("key: revoked as X-API-Key", 401, ""),
    ):
        change = changes.get(label.removeprefix("key: ").replace(" ", "_").replace("-", "_"), (status, body))
        record.asked(label, change[0], body=change[1])
    return record.history


def elsewhere(*, used_status: int = 200, revoked: int = 401, ready: bool = True) -> History:
    record = Record().add(Launched(instance=SECOND, command="x", cwd="/"))
    if not ready:
        return record.add(Exited(instance=SECOND, code=3)).history
    record.add(Ready(instance=SECOND)).asked("elsewhere: create", 201, body=MADE)
    record.asked("elsewhere: used", used_status).asked("elsewhere: revoke", 204)
    return record.asked("elsewhere: revoked", revoked).history


def test_a_key_works_until_it_is_revoked() -> None:
    assert checks.keys_work_until_revoked(keys(), elsewhere()).passed


@pytest.mark.parametrize(
    ("changes", "actual"),
    [
        ({"create": (404, "")}, "404 after"),
        ({"as_X_API_Key": (401, "")}, "401 after"),
        ({"list": (200, {"data": []})}, "200 after"),
        ({"list": (200, {"data": [{"id": "k1", "key": KEY}]})}, "the key is in it"),
        ({"revoke": (500, "")}, "500 after"),
        ({"revoked_as_Bearer": (200, "")}, "revoked as Bearer: 200"),
    ],
)
def test_a_key_that_does_not_is_found_out(changes: dict[str, Any], actual: str) -> None:
    assert_failed(checks.keys_work_until_revoked(keys(**changes), elsewhere()), actual)


@pytest.mark.parametrize(
    ("other", "actual"),
    [
        (elsewhere(used_status=401), "401 after"),
        (elsewhere(revoked=200), "200 after"),
        (elsewhere(ready=False), "exited with code 3"),
    ],
)
def test_a_key_is_that_of_all_instances(other: History, actual: str) -> None:
    assert_failed(checks.keys_work_until_revoked(keys(), other), actual)


@pytest.mark.parametrize(
    "dump",
    [
        f"COPY keys FROM stdin;\n1\t{KEY}\n",
        KEY[len(KEY) // 2 :],
        base64.b64encode(KEY.encode()).decode(),
        f"\\\\x{KEY.encode().hex()}",
        f"\\\\x{PASSWORD.encode().hex().upper()}",
        PASSWORD[::-1],
    ],
)
def test_what_can_be_read_in_the_database_is_found(dump: str) -> None:
    record = Record().add(Planted(name="freya_password", value=PASSWORD)).asked("key: create", 201, body=MADE)

    assert checks.keys_are_unreadable(
        record.add(Database(upstream="database", text="argon2 llm_Zq81")).history
    ).passed
    found = Record().add(Planted(name="freya_password", value=PASSWORD)).asked("key: create", 201, body=MADE)
    verdict = checks.keys_are_unreadable(found.add(Database(upstream="database", text=dump)).history)
    assert_failed(verdict, "is there as")


def test_a_database_that_cannot_be_read_is_no_verdict() -> None:
    record = Record().asked("key: create", 201, body=MADE)
    verdict = checks.keys_are_unreadable(record.add(Database(upstream="database", problem="gone")).history)

    assert (verdict.status, verdict.blame) == ("not judged", "harness")
    assert not readable_form(KEY, "llm_Zq81Kd02mXcv")


@pytest.mark.parametrize(
    ("status", "calls", "passes"), [(403, (), True), (200, (0.001,), False), (401, (), False)]
)
def test_without_the_permission_it_is_403(status: int, calls: tuple[float, ...], *, passes: bool) -> None:
    record = (
        Record()
        .asked("permission: allowed")
        .asked("permission: denied by key", status, key="ref-1", calls=calls)
    )

    assert checks.permissions_hold(record.history).passed is passes


def test_a_report_is_403_whatever_else_has_called_the_backend() -> None:
    record = (
        Record()
        .asked("permission: allowed", calls=(0.001,))
        .asked("permission: denied by token", 403, path="/v1/usage")
        .asked("permission: denied by token", 200, path="/v1/models")
    )

    assert_failed(checks.permissions_hold(record.history), "/v1/models with the token")


def private(**changes: tuple[int, Any]) -> History:
    record = Record()
    for label, status, body in (
        ("create", 201, MADE),
        ("usage of another", 403, ""),
        ("keys", 200, {"data": [{"id": "k2"}]}),
        ("revoke another's", 404, ""),
        ("still works", 200, ""),
        ("usage for the admin", 200, used(30)),
    ):
        change = changes.get(label.replace(" ", "_").replace("'", ""), (status, body))
        if label == "create":
            record.asked("private: asked", key="ref-1", calls=(0.001,), usage=(20, 10))
        record.asked(f"private: {label}", change[0], body=change[1])
    return record.history


def test_what_another_user_has_is_private() -> None:
    assert checks.usage_is_private(private()).passed


@pytest.mark.parametrize(
    ("changes", "actual"),
    [
        ({"usage_of_another": (200, used(30))}, "200 after"),
        ({"keys": (200, [{"id": "k1"}])}, "another user's key is listed"),
        ({"revoke_anothers": (204, "")}, "204 after"),
        ({"still_works": (401, "")}, "401 after"),
        ({"usage_for_the_admin": (200, used(0, 0))}, "0 requests"),
        ({"usage_for_the_admin": (403, "")}, "403 after"),
        ({"usage_for_the_admin": (200, used(72, 2))}, "72 tokens"),
    ],
)
def test_what_is_not_is_found_out(changes: dict[str, tuple[int, Any]], actual: str) -> None:
    assert_failed(checks.usage_is_private(private(**changes)), actual)


def limited(
    *free: int,
    headers: dict[str, str] | None = None,
    premium: tuple[int, ...] = (12,),
    enterprise: tuple[int, ...] = (20,),
    seconds: float = 2.0,
    stall: float = 0.0,
    body: Any = REFUSED,
    beyond: Mapping[str, tuple[int, ...]] = {},
) -> History:
    """Return bursts on two instances, in which so many requests of each user of a tier were let through.

    `beyond` are the statuses of later requests in other ways, the same in each tier.
    """
    record = Record().add(Given(variables={"RATE_LIMITS": json.dumps(LIMITS)}))
    record.add(Ready(instance=SECOND))
    for tier, limit, admitted in (
        ("free", 5, free),
        ("premium", 12, premium),
        ("enterprise", 20, enterprise),
    ):
        own = {} if tier == "free" else {"x-ratelimit-limit": f"{limit}"}
        told = (TOLD if headers is None else headers) | own
        for user, most in enumerate(admitted, start=1):
            for number in range(2 * limit + 4):
                status = 200 if number < most else 429
                after = seconds / (2 * limit + 4)
                record.asked(burst_label(tier, user), status, body=body, headers=told, after=after)
        for way, statuses in beyond.items():
            for status in statuses:
                record.asked(beyond_label(way, tier), status)
        if stall:
            record.add(Stall(seconds=stall))
    return record.history


@pytest.mark.parametrize("admitted", [3, 5, 7])
def test_a_limit_holds_for_both_instances(admitted: int) -> None:
    verdict = checks.limits_hold_across_instances(limited(admitted))

    assert verdict.passed, verdict


def test_limits_of_each_instance_are_found_out() -> None:
    verdict = checks.limits_hold_across_instances(limited(10, 10, 10))

    assert_failed(verdict, "10 of 14 were let through")


def test_a_tier_whose_instances_count_for_themselves_is_found_out() -> None:
    verdict = checks.limits_hold_across_instances(limited(5, enterprise=(40, 40, 40)))

    assert_failed(verdict, "40 of 44 were let through")


@pytest.mark.parametrize("admitted", [(10, 5), (10, 10, 5)])
def test_users_who_meet_a_new_window_are_no_failure(admitted: tuple[int, ...]) -> None:
    assert checks.limits_hold_across_instances(limited(*admitted, premium=(24, 12))).passed


def test_a_tier_that_no_other_user_has_tried_is_not_judged() -> None:
    verdict = checks.limits_hold_across_instances(limited(10))

    assert verdict.status == "not judged"
    assert "no other user of the tier free" in verdict.actual


def test_a_machine_that_stood_still_is_to_blame() -> None:
    verdict = checks.limits_hold_across_instances(limited(5, premium=(24, 24, 24), stall=1.0))

    assert (verdict.status, verdict.blame) == ("not judged", "machine")


def test_a_tier_without_any_limit_is_found_out() -> None:
    verdict = checks.limits_hold_across_instances(limited(5, enterprise=(44,)))

    assert_failed(verdict, "all were let through")


def test_a_limit_lets_requests_through() -> None:
    assert_failed(checks.limits_hold_across_instances(limited(1)), "1 of 14 were let through")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("retry-after", "3600"),
        ("retry-after", "soon"),
        ("x-ratelimit-limit", "50"),
        ("x-ratelimit-reset", "NaN"),
        ("x-ratelimit-reset", "-1"),
        ("x-ratelimit-reset", "undefined"),
        ("retry-after", "-1"),
        ("x-ratelimit-remaining", "3"),
    ],
)
def test_headers_that_make_no_sense_are_found_out(name: str, value: str) -> None:
    headers = TOLD | {name: value}

    assert_failed(checks.limits_hold_across_instances(limited(5, headers=headers)), value)


@pytest.mark.parametrize(
    ("beyond", "actual"),
    [
        ({API_KEY: (429, 429, 429), STREAM: (200, 429, 429), ANOTHER: (200,)}, ""),
        ({API_KEY: (200, 200, 200)}, "all of 9 requests were let through"),
        ({STREAM: (200, 200, 200)}, "all of 9 requests were let through"),
        ({ANOTHER: (429,)}, "429 in 3 of 3 tiers"),
    ],
)
def test_a_limit_is_the_users(beyond: Mapping[str, tuple[int, ...]], actual: str) -> None:
    verdict = checks.limits_hold_across_instances(limited(5, beyond=beyond))

    assert verdict.passed if not actual else verdict.status == "failed" and actual in verdict.actual


def test_requests_beyond_a_limit_are_not_judged_where_it_was_never_met() -> None:
    ways = {API_KEY: (200, 200, 200), STREAM: (200, 200, 200)}
    history = limited(14, 5, premium=(28, 12), enterprise=(44, 20), beyond=ways)

    assert "all were let through" in checks.limits_hold_across_instances(history).actual


@pytest.mark.parametrize(
    "body", ["", {"error": "Rate limit exceeded: 5 per 1 minute"}, {"detail": "Slow down."}]
)
def test_a_429_has_the_form_of_other_errors(body: object) -> None:
    assert_failed(checks.limits_hold_across_instances(limited(5, body=body)), "no message in")


def test_a_limit_tells_all_three_headers() -> None:
    headers = {name: value for name, value in TOLD.items() if name != "x-ratelimit-reset"}

    assert_failed(checks.limits_hold_across_instances(limited(5, headers=headers)), "X-RateLimit-Reset")


def without_redis(
    *,
    status: int = 200,
    after: float = 0.05,
    limits: bool = True,
    line: str = "redis is unavailable",
    metric: str = "",
    health: int = 200,
) -> History:
    record = Record().add(Given(variables={"RATE_LIMITS": json.dumps(LIMITS)})).asked("usual", after=0.05)
    record.asked("metrics before", body="limits_shared 1\n").add(Phase(name="fault"))
    for name in OUTAGES.values:
        record.asked(f"{name}: enterprise", status, after=after).asked(f"{name}: premium")
        for number in range(12):
            record.asked(f"{name}: free", 429 if limits and number > 4 else 200)
        record.add(Log(stream="stdout", text=line)).asked("metrics after", body=f"limits_shared 1\n{metric}")
        record.asked(f"{name}: health", health, path="/health")
    return record.asked("after").history


def test_redis_may_be_down() -> None:
    assert checks.redis_down_is_survived(without_redis()).passed
    assert checks.redis_down_is_survived(without_redis(line="request", metric="limits_local 3\n")).passed


@pytest.mark.parametrize(
    ("changes", "actual"),
    [
        ({"status": 500}, "500 after"),
        ({"after": 2.0}, "200 after 2.00 s"),
        ({"limits": False}, "let through"),
        ({"health": 503}, "503 after"),
        ({"line": "request"}, "neither a line nor a metric"),
        ({"line": "rate_limit_exceeded", "metric": "limits_total 9\n"}, "neither a line nor a metric"),
    ],
)
def test_what_redis_must_not_cost_is_found_out(changes: dict[str, Any], actual: str) -> None:
    assert_failed(checks.redis_down_is_survived(without_redis(**changes)), actual)


def attacked(
    *,
    large: int | None = 413,
    deep: int | None = 400,
    text: int | None = 422,
    evil: bool = False,
    chat: int = 200,
    counted: int = 60,
    passed_on: bool = False,
) -> History:
    record = Record().asked("large", large)
    if passed_on:
        chat_call = Call(call=9, upstream="backend", method="POST", path="/v1/chat/completions", connection=1)
        record.add(chat_call.model_copy(update={"step": TOO_LARGE, "counted": False}))
    record.asked("deep", deep)
    record.asked("hostile: SQL as login", text, headers={"X-Evil": "1"} if evil else {})
    record.asked("harm: usage", body=used(30)).asked("harm: chat", chat)
    return record.asked("harm: usage", body=used(counted)).history


def test_bounded_input_does_no_harm() -> None:
    assert checks.input_is_bounded(attacked()).passed


@pytest.mark.parametrize(
    ("changes", "actual"),
    [
        ({"large": 200}, "200 after"),
        ({"large": None}, "no answer"),
        ({"passed_on": True}, "the backend was called with it"),
        ({"deep": 500}, "500 after"),
        ({"text": 500}, "SQL as login: 500"),
        ({"evil": True}, "x-evil is there"),
        ({"chat": 500}, "500 after"),
        ({"counted": 30}, "never arrived"),
    ],
)
def test_input_that_does_harm_is_found_out(changes: dict[str, Any], actual: str) -> None:
    assert_failed(checks.input_is_bounded(attacked(**changes)), actual)
