"""The experiments of part 7: rules, usage and budgets on one service, variants of models and a cache on two others."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

from chaos.history import Answer as Answered
from chaos.http_client import Client
from chaos.llm import Answer, ByModel, Status
from exercises.project61.chat import usage_to_report
from exercises.project61.few_at_once import few_at_once
from exercises.project61.more_users import more_users
from exercises.project61.part7_bonus.analytics import groups_of
from exercises.project61.part7_bonus.asking import ask, ask_question
from exercises.project61.part7_bonus.axes import (
    ANOTHER_MODEL,
    ANOTHER_SYSTEM_MESSAGE,
    ANOTHER_USER,
    CASES,
    EXPIRED,
    FORMAT,
    KINDS,
    OPPOSITE,
    PARAPHRASE,
    ROLES,
    SIMILAR,
    SPLITS,
    STREAM,
    TEMPERATURE,
    TOOLS,
    WHOLE,
    Case,
)
from exercises.project61.part7_bonus.plan import (
    ARRIVAL_SECONDS,
    CACHE,
    COSTLY_DOLLARS,
    COSTLY_TOKENS,
    EVEN,
    KEPT_SECONDS,
    ROUTES,
    STOPPED,
    STOPPED_PATIENCE_SECONDS,
    TASKS,
    given,
    go_on,
    limited,
    rules_and_budgets,
    semantic_cache,
    small_budget,
    splits_of,
    stopped,
    variants_and_users,
)
from exercises.project61.part7_bonus.questions import QUESTIONS
from exercises.project61.readiness import wait_for_database
from exercises.project61.usage_report import cost_of, tokens_reported
from lab.experiment import experiment
from lab.lab import Lab

__all__ = ["paraphrases", "rules_and_spending", "variants"]

GO_ON = ("premium", "enterprise")
SPENDERS = (STOPPED, *GO_ON)
STOPPED_TRIES = 3
POLL_SECONDS = 0.3
SCRAPES = 3
"""How often is looked after traffic: a counter may move when the answer has already arrived."""
SCRAPE_GAP_SECONDS = 0.4
AT_ONCE = 4
TOOL = {"type": "function", "function": {"name": "now", "parameters": {"type": "object", "properties": {}}}}


@experiment(seconds=8, settings=rules_and_budgets)
async def rules_and_spending(lab: Lab) -> None:
    """Users of three tiers ask several models, meet rules, and spend more than a budget."""
    await wait_for_database(lab)
    signed_in = dict(zip(SPENDERS, await asyncio.gather(*map(lab.login, SPENDERS)), strict=True))
    await _be_analysed(lab, signed_in)
    for case_name, case, kind, _ in lab.pairs(CASES, KINDS):
        await _meet_rules(lab, case_name, case, kind, signed_in[case.role])
    for kind, _ in lab.vary(KINDS):
        await _be_rate_limited(lab, kind, signed_in["enterprise"])
    await _spend(lab, signed_in)


@experiment(seconds=6, settings=variants_and_users)
async def variants(lab: Lab) -> None:
    """Sixteen users ask two models with two variants each, on one instance and, if there are variants, on another."""
    splits = splits_of(lab.history)
    for name, split in splits.items():
        await ask(lab, label=f"first: {name}", token=lab.token, model=split.model)
    chosen = {call.call.model for call in lab.history.calls() if call.call.key != lab.control_key}
    if not any(chosen & set(split.weights) for split in splits.values()):
        return
    users = await _sign_in(lab)
    await _scrape(lab, "before")
    await few_at_once((_compare(lab, name, token) for name, token in users.items()), most=AT_ONCE)
    for _ in range(SCRAPES):
        await _scrape(lab, "after")
        await asyncio.sleep(SCRAPE_GAP_SECONDS)
    second = await lab.second()
    if second:
        model = splits[EVEN].model
        again = (
            ask(lab, label=f"{EVEN}: {name}", token=token, model=model, client=second.client)
            for name, token in users.items()
        )
        await few_at_once(again, most=AT_ONCE)


@experiment(seconds=10, settings=semantic_cache)
async def paraphrases(lab: Lab) -> None:
    """Two questions are asked again: in the same words, in others, for the opposite, by another user, and much later."""
    owner, another = await asyncio.gather(lab.login("free"), lab.login("premium"))
    keys = {}
    for name, question in lab.vary(QUESTIONS):
        key = keys[name] = lab.key()
        await ask_question(lab, question.asked, key, label=f"{name}: asked", token=owner)
        if not await _is_kept(lab, name, key, owner):
            return
        changed: dict[str, tuple[str, str, dict[str, Any]]] = {
            PARAPHRASE: (question.paraphrase, owner, {}),
            OPPOSITE: (question.opposite, owner, {}),
            ANOTHER_USER: (question.asked, another, {}),
            ANOTHER_SYSTEM_MESSAGE: (question.asked, owner, {"messages": _instructed(question.asked, key)}),
            ANOTHER_MODEL: (question.asked, owner, {"model": lab.choose(lab.other_models)}),
            TEMPERATURE: (question.asked, owner, {"temperature": 1}),
            STREAM: (question.asked, owner, {"stream": True}),
            TOOLS: (question.asked, owner, {"tools": [TOOL]}),
            FORMAT: (question.asked, owner, {"response_format": {"type": "json_object"}}),
        }
        for change, _ in lab.vary(SIMILAR):
            if change in changed:
                text, token, fields = changed[change]
                await ask_question(lab, text, key, label=f"{name}: {change}", token=token, **fields)
    await asyncio.sleep(given(lab.history, CACHE)["ttl"] + 1)
    for name, key in keys.items():
        text = QUESTIONS.values[name].paraphrase
        await ask_question(lab, text, key, label=f"{name}: {EXPIRED}", token=owner)


def _instructed(text: str, key: str) -> list[dict[str, str]]:
    """Return the messages of a question to a model that has instructions."""
    return [
        {"role": "system", "content": "Answer in French."},
        {"role": "user", "content": text.format(key=key)},
    ]


async def _is_kept(lab: Lab, name: str, key: str, token: str) -> bool:
    """Ask a question in the same words until the backend is no longer called, or time is up; whether that came."""
    deadline = lab.recorder.now() + KEPT_SECONDS
    while lab.recorder.now() < deadline:
        calls = len(lab.llm.calls(key))
        await ask_question(lab, QUESTIONS.values[name].asked, key, label=f"{name}: again", token=token)
        if len(lab.llm.calls(key)) == calls:
            return True
        await asyncio.sleep(POLL_SECONDS)
    return False


async def _be_analysed(lab: Lab, signed_in: Mapping[str, str]) -> None:
    """Have two users ask two models, and read usage until it has all of that, or time is up; then that of other days."""
    first = datetime.now(UTC).date()
    models = (lab.model, lab.choose(lab.other_models))
    for role in ("premium", "enterprise"):
        for model in models:
            for kind, _ in lab.vary(KINDS):
                key = lab.key()
                lab.llm.script(key, Answer(usage=usage_to_report(key)))
                await ask(lab, kind, label=f"analysed: {role}", token=signed_in[role], key=key, model=model)
    # One that a rule leads to another model, which is the one that answers.
    named = given(lab.history, ROUTES)[0]["task"]
    await ask(lab, label="analysed: premium", token=signed_in["premium"], headers={"x-task": named})
    asked = {one.request.key for one in lab.history.exchanges("analysed: premium")}
    spent = tokens_reported(call for call in lab.history.calls() if call.call.key in asked)
    own = _usage(lab, since=first, until=first + timedelta(days=1))
    deadline = lab.recorder.now() + ARRIVAL_SECONDS
    while lab.recorder.now() < deadline:
        groups = groups_of(await lab.get(own, label="usage: own", token=signed_in["premium"]))
        if groups is None or sum(one.tokens for one in groups) >= spent:
            break
        await asyncio.sleep(POLL_SECONDS)
    last = datetime.now(UTC).date()
    up_to_today = _usage(lab, since=first, until=last)
    await lab.get(up_to_today, label="usage: up to today", token=signed_in["premium"])
    everybody = _usage(lab, since=first, until=first + timedelta(days=1), user="*")
    await lab.get(everybody, label="usage: everybody", token=lab.token)
    await lab.get(everybody, label="usage: everybody for a user", token=signed_in["premium"])
    earlier = _usage(lab, since=first - timedelta(days=9), until=first - timedelta(days=2))
    await lab.get(earlier, label="usage: earlier", token=signed_in["premium"])


def _usage(lab: Lab, **bounds: date | str) -> str:
    return f"{lab.endpoint('usage')}?{'&'.join(f'{name}={value}' for name, value in bounds.items())}"


async def _meet_rules(lab: Lab, name: str, case: Case, kind: str, token: str) -> None:
    headers: dict[str, str] = {}
    rules = given(lab.history, ROUTES)
    if case.task:
        named = rules[0]["task"]
        headers["x-task"] = (
            named if case.task == "named" else lab.choose([one for one in TASKS if one != named])
        )
    if case.budget:
        headers["x-latency-budget"] = f"{case.budget * rules[2]['latency_budget']:g}"
    await ask(lab, kind, label=f"rule: {name}", token=token, headers=headers)


async def _be_rate_limited(lab: Lab, kind: str, token: str) -> None:
    """Have the backend refuse the model of the rule that has a fallback, after it has answered for it."""
    rule = given(lab.history, ROUTES)[2]
    key = lab.key()
    lab.llm.script(key, ByModel({rule["model"]: Status(429)}, otherwise=Answer()))
    headers = {"x-latency-budget": f"{rule['latency_budget']:g}"}
    # A breaker of the model's own must not have two refusals in a row.
    await ask(lab, label="between", token=token, headers=headers)
    await ask(lab, kind, label=limited(kind), token=token, key=key, headers=headers)


async def _spend(lab: Lab, signed_in: Mapping[str, str]) -> None:
    """Let three users spend more than a small budget; then ask as each of them, on two instances."""
    for role, _ in lab.vary(ROLES):
        key = lab.key()
        lab.llm.script(key, Answer(usage=COSTLY_TOKENS, cost=COSTLY_DOLLARS))
        await ask(lab, label=f"costly: {role}", token=signed_in[role], key=key)
    lab.phase("fault")
    if not await _is_stopped(lab, "spent", signed_in[STOPPED]):
        await lab.get(lab.endpoint("usage"), label="cost", token=signed_in[STOPPED])
        return
    for kind, _ in lab.vary(KINDS):
        await _go_on(lab, signed_in, kind)
        # Redis may be too late for one request, which a service may let through.
        for _ in range(STOPPED_TRIES):
            end = await ask(lab, kind, label=stopped(kind), token=signed_in[STOPPED])
            if not isinstance(end, Answered) or end.status != 200:
                break
    await _await_cost(lab, signed_in[STOPPED])
    second = await lab.second()
    if second:
        await _is_stopped(lab, "elsewhere", signed_in[STOPPED], second.client)
    # Some seconds later, for what was spent may be counted late.
    for client in (lab.client, second.client) if second else (lab.client,):
        await _go_on(lab, signed_in, client=client)


async def _go_on(
    lab: Lab, signed_in: Mapping[str, str], kind: str = WHOLE, client: Client | None = None
) -> None:
    """Have those ask whom no budget may stop."""
    for role in GO_ON:
        await ask(lab, kind, label=go_on(role), token=signed_in[role], client=client)


async def _is_stopped(lab: Lab, label: str, token: str, client: Client | None = None) -> bool:
    """Ask until the answer is no longer 200, or time is up; whether that came."""
    deadline = lab.recorder.now() + STOPPED_PATIENCE_SECONDS
    while True:
        end = await ask(lab, label=label, token=token, client=client)
        if not isinstance(end, Answered) or end.status != 200:
            return True
        if lab.recorder.now() > deadline:
            return False
        await asyncio.sleep(POLL_SECONDS)


async def _await_cost(lab: Lab, token: str) -> None:
    """Read a user's usage until its cost is over the budget, or time is up."""
    deadline = lab.recorder.now() + ARRIVAL_SECONDS
    while lab.recorder.now() < deadline:
        cost = cost_of(await lab.get(lab.endpoint("usage"), label="cost", token=token))
        if cost is None or cost >= small_budget(lab.history):
            return
        await asyncio.sleep(POLL_SECONDS)


async def _sign_in(lab: Lab) -> dict[str, str]:
    """Return the tokens of all users who may chat, by their names."""
    roles = ("free", "premium", "enterprise")
    tokens = {lab.contract.users["admin"].name: lab.token}
    for role in roles:
        tokens[lab.contract.users[role].name] = await lab.login(role)
    for user in more_users(lab.history):
        tokens[user["username"]] = await lab.login_as(user["username"], user["password"])
    return tokens


async def _compare(lab: Lab, name: str, token: str) -> None:
    """Ask each model with variants as one user, whole and as a stream."""
    splits = splits_of(lab.history)
    for split, _ in lab.vary(SPLITS):
        for kind, _ in lab.vary(KINDS):
            await ask(lab, kind, label=f"{split}: {name}", token=token, model=splits[split].model)


async def _scrape(lab: Lab, name: str) -> None:
    await lab.get(lab.endpoint("metrics"), label=f"scrape: {name}")
