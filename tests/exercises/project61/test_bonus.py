"""The checks of part 7 on histories that are written by hand, and the texts and settings that its experiments use."""

import itertools
import json
import random
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import pytest

from chaos.contract import compose
from chaos.history import Exited, Given, History, Launched, Ready, Stall
from chaos.keys import Keys, answer_code
from chaos.vectors import vector
from exercises.project61.part7_bonus import checks
from exercises.project61.part7_bonus.axes import (
    CASES,
    EXPIRED,
    OPPOSITE,
    PARAPHRASE,
    SIMILAR,
    STREAMED,
    WHOLE,
)
from exercises.project61.part7_bonus.plan import (
    EVEN,
    UNEVEN,
    go_on,
    limited,
    rules_and_budgets,
    semantic_cache,
    variants_and_users,
)
from exercises.project61.part7_bonus.plan import stopped as stopped_label
from exercises.project61.part7_bonus.questions import QUESTIONS
from lab.lab import SECOND
from lab.verdict import Verdict
from tests.exercises.project61.record import CONTRACT, Record

USUAL, A, B, C = CONTRACT.ask.models if CONTRACT.ask else ()  # the contract of the project has four models
RULES: list[dict[str, Any]] = [
    {"tier": "free", "task": "summary", "model": A},
    {"task": "summary", "model": B},
    {"latency_budget": 2, "model": C, "fallback": A},
]
LIMITED = {limited(kind): A for kind in (WHOLE, STREAMED)}
BUDGETS = {"free": 0.05, "premium": 0.05, "user:paul": 10_000}
SPLITS = {USUAL: {A: 1, B: 1}, C: {A: 99, B: 1}}
DAY = "2026-03-01"
RANGE = f"/v1/usage?since={DAY}&until=2026-03-02"
ONE_DAY = f"/v1/usage?since={DAY}&until={DAY}"


def assert_failed(verdict: Verdict, actual: str) -> None:
    assert verdict.status == "failed", verdict
    assert actual in verdict.actual


def keys() -> Iterator[str]:
    return iter(Keys(7, "x"))


def with_settings(**variables: Any) -> Record:
    return Record().add(Given(variables={name: json.dumps(value) for name, value in variables.items()}))


# Rules


def routed(models: Mapping[str, str] | None = None, *, statuses: Mapping[str, int] | None = None) -> History:
    record, names = with_settings(MODEL_ROUTES=RULES), keys()
    right = {
        name: USUAL if case.rule is None else str(RULES[case.rule]["model"])
        for name, case in CASES.values.items()
    }
    for name, model in {**right, **LIMITED, **(models or {})}.items():
        status = (statuses or {}).get(name, 200)
        label = name if name in LIMITED else f"rule: {name}"
        record.asked(label, status, key=next(names), calls=(0.0,), model=model)
    return record.history


def test_rules_choose_models() -> None:
    assert checks.rules_choose_models(routed()).passed


@pytest.mark.parametrize(
    ("history", "actual"),
    [
        (routed({"two rules": C}), f"asked for {C}"),
        (routed({"no rule": A}), f"asked for {A}"),
        (routed({"another task": A}), f"asked for {A}"),
        (routed({limited(WHOLE): C}), f"200 by {C}"),
        (routed(statuses={limited(WHOLE): 429}), "429 after"),
        (routed(statuses={limited(STREAMED): 429}), "429 after"),
        (routed(statuses={"no rule": 500}), "500 after"),
    ],
)
def test_other_choices_are_found_out(history: History, actual: str) -> None:
    assert_failed(checks.rules_choose_models(history), actual)


def test_a_service_without_rules_has_not_built_them() -> None:
    history = routed(dict.fromkeys([*CASES.values, *LIMITED], USUAL))

    assert_failed(
        checks.rules_choose_models(history), "not built: 4 requests that meet a rule of MODEL_ROUTES"
    )


# Analytics


def group(user: str, model: str, *, requests: int = 2, tokens: int = 84, **fields: Any) -> dict[str, Any]:
    return {
        "day": DAY,
        "model": model,
        "user": user,
        "requests": requests,
        "prompt_tokens": tokens,
        "completion_tokens": 0,
        "cost": 0.5,
        **fields,
    }


OWN = [group("paul", USUAL), group("paul", A)]
EVERYBODY = [*OWN, group("enid", USUAL), group("enid", A), group("admin", USUAL, requests=1)]


def analysed(
    own: Any = OWN,
    everybody: Any = EVERYBODY,
    *,
    cost: float | str = 1.0,
    pried: int = 403,
    earlier: Any = (),
    today: Any = OWN,
) -> History:
    record, names = Record(), keys()
    for role in ("premium", "enterprise"):
        for model in (USUAL, USUAL, A, A):
            record.asked(f"analysed: {role}", key=next(names), calls=(0.0,), model=model, usage=(30, 12))
    totals = {"requests": 4, "prompt_tokens": 168, "completion_tokens": 0, "cost": cost}
    body = {"totals": totals} if own is None else {"totals": totals, "data": own}
    record.asked("usage: own", body=body, path=RANGE)
    record.asked("usage: up to today", body={"data": today}, path=ONE_DAY)
    record.asked("usage: everybody", body={"data": everybody}, path=f"{RANGE}&user=*")
    record.asked("usage: everybody for a user", pried, path=f"{RANGE}&user=*")
    return record.asked("usage: earlier", body={"data": list(earlier)}).history


@pytest.mark.parametrize(
    "own",
    [
        OWN,
        [group("paul", f"openai/{USUAL}"), group("paul", A, day=f"{DAY}T00:00:00Z")],
        [
            group("paul", USUAL, requests=1, tokens=42, cost=0.25),
            group("paul", USUAL, requests=1, tokens=42, cost=0.25, day="2026-03-02"),
            OWN[1],
        ],
    ],
)
def test_usage_is_analysed(own: Any) -> None:
    assert checks.usage_is_analysed(analysed(own)).passed


@pytest.mark.parametrize(
    ("history", "actual"),
    [
        (analysed(None), "not built: its answer has no list `data`"),
        (analysed([OWN[0], group("paul", USUAL)]), "4 requests and 168 tokens"),
        (analysed([OWN[0]]), "0 requests and 0 tokens"),
        (analysed([*OWN, group("enid", A)]), "also that of enid"),
        (analysed([OWN[0], group("paul", A, day="2026-02-27")]), "'2026-02-27'"),
        (analysed([OWN[0], group("paul", A, cost=0)]), "it is 0"),
        (analysed([OWN[0], group("paul", A, cost=float("nan"))]), "it is 0"),
        (
            analysed([OWN[0], *[group("paul", A, requests=1, tokens=42, cost=0.25)] * 2]),
            f"2 for {DAY} {A} paul",
        ),
        (analysed(cost=3.0), "$1.000000 in groups and $3.000000 in all"),
        (analysed(everybody=OWN), "0 requests and 0 tokens"),
        (
            analysed([OWN[0], group("paul", A, prompt_tokens="84")]),
            '2 requests and 0 tokens; prompt_tokens is "84", which is not a number',
        ),
        (analysed(cost="1.0"), 'cost is "1.0", which is not a number'),
        (analysed(everybody=[[], 5, None]), "0 requests and 0 tokens"),
        (analysed(pried=200), "200 after"),
        (analysed(earlier=OWN), "2 groups"),
        (analysed(today=[]), "0 requests and 0 tokens"),
        (analysed(today=[OWN[0], group("paul", A, day="2026-03-02")]), "'2026-03-02'"),
    ],
)
def test_other_reports_are_found_out(history: History, actual: str) -> None:
    assert_failed(checks.usage_is_analysed(history), actual)


# Budgets


def second_instance(record: Record, *, starts: bool = True) -> Record:
    record.add(Launched(instance=SECOND, command="uvicorn", cwd="/"))
    return record.add(Ready(instance=SECOND) if starts else Exited(instance=SECOND, code=3))


def spent(
    *,
    stopped: bool = True,
    statuses: Mapping[str, int] | None = None,
    headers: Mapping[str, str] | None = None,
    called: bool = False,
    cost: float = 8.0,
    starts: bool = True,
) -> History:
    record, names = with_settings(DAILY_BUDGETS=BUDGETS), keys()
    given = {"retry-after": "3600"} if headers is None else dict(headers)
    right = {"free": 429, "premium": 200, "enterprise": 200, "elsewhere": 429, **(statuses or {})}
    for role in ("free", "premium", "enterprise"):
        record.asked(f"costly: {role}", key=next(names), calls=(0.0,))
    record.asked("spent", key=next(names), calls=(0.0,))
    record.asked("spent", 429 if stopped else 200, headers=given)
    report = {"totals": {"prompt_tokens": 1, "completion_tokens": 1, "cost": cost}}
    if stopped:
        asked = {stopped_label(WHOLE): "free", stopped_label(STREAMED): "free"}
        asked |= {go_on(role): role for role in ("premium", "enterprise")}
        for label, role in asked.items():
            status = right[role]
            calls = (0.0,) if called or status == 200 else ()
            record.asked(label, status, key=next(names), headers=given, calls=calls)
    record.asked("cost", body=report, path="/v1/usage")
    if stopped:
        second_instance(record, starts=starts)
        record.asked("elsewhere", right["elsewhere"], key=next(names), headers=given)
    return record.history


def test_budgets_stop_users() -> None:
    assert checks.budgets_stop_users(spent()).passed


@pytest.mark.parametrize(
    ("history", "actual"),
    [
        (
            spent(stopped=False),
            "not built: after answers that cost $8.00 by GET /v1/usage, DAILY_BUDGETS stops nobody",
        ),
        (spent(statuses={"free": 200}), "200 after"),
        (spent(called=True), "the backend was called"),
        (spent(headers={}), "Retry-After: none"),
        (spent(headers={"retry-after": "999999"}), "Retry-After: 999999"),
        (spent(statuses={"premium": 429}), "429 after"),
        (spent(statuses={"enterprise": 402}), "402 after"),
        (spent(cost=0.01), "$0.0100"),
        (spent(starts=False), "exited with code 3"),
        (spent(statuses={"elsewhere": 200}), "200 after"),
    ],
)
def test_other_budgets_are_found_out(history: History, actual: str) -> None:
    assert_failed(checks.budgets_stop_users(history), actual)


# Variants


def compared(
    *,
    light: int = 1,
    first: int = 8,
    moving: bool = False,
    elsewhere: bool = False,
    counted: Mapping[str, float] | None = None,
    built: bool = True,
    status: int = 200,
) -> History:
    """Return a history in which `first` of 16 users have the first of two alike variants, and `light` the light one."""
    record, names = with_settings(MODEL_VARIANTS=SPLITS), keys()
    for name, model in ((EVEN, USUAL), (UNEVEN, C)):
        record.asked(f"first: {name}", key=next(names), calls=(0.0,), model=A if built else model)
    if not built:
        return record.history
    record.asked("scrape: before", body=metrics({}))
    totals = {A: 0, B: 0}
    users = [f"reader-{number}" for number in range(16)]

    def ask(split: str, user: str, model: str) -> None:
        record.asked(f"{split}: {user}", status, key=next(names), calls=(0.0,), model=model)
        totals[model] += 1

    for number, user in enumerate(users):
        even = A if number < first else B
        ask(EVEN, user, even)
        ask(EVEN, user, (B if even == A else A) if moving and number == 3 else even)
        for _ in range(2):
            ask(UNEVEN, user, B if number < light else A)
    record.asked("scrape: after", body=metrics(totals if counted is None else counted))
    second_instance(record)
    for number, user in enumerate(users):
        even = A if number < first else B
        ask(EVEN, user, B if elsewhere and number == 0 else even)
    return record.history


def metrics(counts: Mapping[str, float]) -> str:
    lines = ["# HELP calls_total Calls.", "# TYPE calls_total counter"]
    lines += [f'calls_total{{model="{model}"}} {count + 2}' for model, count in counts.items()]
    if not counts:
        lines += [f'calls_total{{model="{model}"}} 2' for model in (A, B)]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("history", [compared(), compared(light=0, first=3), compared(light=4)])
def test_variants_are_compared(history: History) -> None:
    assert checks.variants_are_compared(history).passed


@pytest.mark.parametrize(
    ("history", "actual"),
    [
        (compared(built=False), "not built: MODEL_VARIANTS changes no model"),
        (compared(first=16), f"{A}: 16, {B}: 0"),
        (compared(light=8), f"{A}: 8, {B}: 8"),
        (compared(moving=True), f"it had {B} and {A}"),
        (compared(elsewhere=True), f"it had {B} and {A}"),
        (compared(counted={A: 5, B: 7}), f"those of {A} grew by 5"),
        (compared(counted={}), f"no counter has the label {A}"),
        (compared(status=500), "500 after"),
    ],
)
def test_other_variants_are_found_out(history: History, actual: str) -> None:
    assert_failed(checks.variants_are_compared(history), actual)


# The semantic cache


def cached(
    *,
    kept: bool | Collection[str] = True,
    hits: Mapping[str, bool] | None = None,
    found: Collection[str] = tuple(QUESTIONS.values),
    marks: Mapping[str, str] | None = None,
    body: str = "",
    late: float = 0.0,
) -> History:
    record, names = with_settings(SEMANTIC_CACHE={"model": A, "threshold": 0.9, "ttl": 6}), keys()
    for name in QUESTIONS.values:
        key = next(names)
        record.asked(f"{name}: asked", key=key, calls=(0.0,), body=answer_code(key))
        is_kept = kept if isinstance(kept, bool) else name in kept
        mark = {"x-cache": (marks or {}).get("again", "HIT")}
        record.asked(
            f"{name}: again", key=key, calls=() if is_kept else (0.0,), body=answer_code(key), headers=mark
        )
        if not is_kept:
            break
        record.now += late
        for change in SIMILAR.values:
            hit = {PARAPHRASE: name in found, **(hits or {})}.get(change, False)
            said = (marks or {}).get(change, "hit" if hit else "miss")
            record.now += 0.1
            record.asked(
                f"{name}: {change}",
                key=key,
                calls=() if hit else (0.0,),
                body=body or answer_code(key),
                headers={"x-cache": said},
            )
    return record.history


def test_similar_questions_are_cached() -> None:
    assert checks.similar_questions_are_cached(cached()).passed


@pytest.mark.parametrize(
    ("history", "actual"),
    [
        (cached(kept=False), "not built: with SEMANTIC_CACHE too, the backend is called every time"),
        (cached(hits={PARAPHRASE: False}), "the backend was called"),
        *(
            (cached(hits={one: True}), "the backend was not called")
            for one in SIMILAR.values
            if one != PARAPHRASE
        ),
        (cached(marks={PARAPHRASE: "miss"}), "X-Cache: miss"),
        (cached(marks={"again": "no"}), "X-Cache: no"),
        (cached(marks={OPPOSITE: "hit"}), "X-Cache: hit"),
        (cached(marks={EXPIRED: "hit"}), "X-Cache: hit"),
        (cached(body="something else"), "another answer"),
    ],
)
def test_other_caches_are_found_out(history: History, actual: str) -> None:
    assert_failed(checks.similar_questions_are_cached(history), actual)


def test_a_machine_that_is_too_slow_for_the_time_to_live_is_blamed_itself() -> None:
    verdict = checks.similar_questions_are_cached(cached(hits={PARAPHRASE: False}, late=6))

    assert (verdict.status, verdict.blame) == ("not judged", "machine")


@pytest.mark.parametrize("name", QUESTIONS.values)
def test_a_cache_that_was_too_late_once_is_not_judged(name: str) -> None:
    verdict = checks.similar_questions_are_cached(cached(found=[name]))

    assert (verdict.status, verdict.blame) == ("not judged", "machine")


def test_a_cache_that_has_kept_one_question_of_two_is_not_judged() -> None:
    verdict = checks.similar_questions_are_cached(cached(kept=["maps"]))

    assert (verdict.status, verdict.blame) == ("not judged", "machine")


def test_a_lab_that_stood_still_blames_no_cache() -> None:
    history = cached(kept=False)
    [again] = [one for one in history.exchanges() if one.request.label.endswith("again")]
    stall = Stall(t=again.request.t, seconds=0.5)

    verdict = checks.similar_questions_are_cached(History([*history.events, stall]))

    assert (verdict.status, verdict.blame) == ("not judged", "machine")


@pytest.mark.parametrize("name", QUESTIONS.values)
def test_paraphrases_are_near_and_opposites_far(name: str) -> None:
    question = QUESTIONS.values[name]
    for key in itertools.islice(keys(), 5):
        asked, paraphrase, opposite = (
            vector(text.format(key=key), 1536)
            for text in (question.asked, question.paraphrase, question.opposite)
        )

        assert sum(a * b for a, b in zip(asked, paraphrase, strict=True)) > 0.95
        for one in (asked, paraphrase):
            assert sum(a * b for a, b in zip(one, opposite, strict=True)) < 0.75


# Settings


def test_settings_have_more_users_and_the_contracts() -> None:
    settings = variants_and_users(random.Random(7))
    secrets = CONTRACT.draw(random.Random(7))

    users = json.loads(compose(settings.composed, secrets)["BOOTSTRAP_USERS"])

    assert len({user["username"] for user in users}) == 5 + 12
    assert users[0] == {
        "username": "admin",
        "password": secrets["admin_password"],
        "tier": "enterprise",
        "permissions": ["chat", "embeddings", "models", "usage", "admin"],
    }
    splits = json.loads(settings.variables["MODEL_VARIANTS"] or "")
    assert [set(weights) & set(splits) for weights in splits.values()] == [set(), set()]
    assert sorted(sorted(weights.values()) for weights in splits.values()) == [[1, 1], [1, 99]]


def test_rules_lead_away_from_the_usual_model() -> None:
    settings = rules_and_budgets(random.Random(7))

    rules = json.loads(settings.variables["MODEL_ROUTES"] or "")
    assert {rule["model"] for rule in rules} == {A, B, C}
    budgets = json.loads(settings.variables["DAILY_BUDGETS"] or "")
    assert budgets["user:paul"] > 100 * budgets["free"] > 0


def test_the_threshold_lies_between_paraphrases_and_opposites() -> None:
    rules = json.loads(semantic_cache(random.Random(7)).variables["SEMANTIC_CACHE"] or "")

    assert 0.8 < rules["threshold"] < 0.95
