"""The experiments of part 2: strangers, keys, permissions, hostile input; two instances; Redis down and silent."""

import asyncio

from chaos.history import Answer
from chaos.http_client import Client
from exercises.project61.chat import streamed_body
from exercises.project61.more_users import more_users
from exercises.project61.part2_security import keys
from exercises.project61.part2_security.axes import (
    CHAT_ONLY,
    DENIED,
    ENDPOINTS,
    FORGERIES,
    MODELS_ONLY,
    OUTAGES,
    PRESENTED,
)
from exercises.project61.part2_security.hostile import PLACES, TEXTS, deep_bodies, send_large
from exercises.project61.part2_security.limits import (
    ANOTHER,
    API_KEY,
    STREAM,
    beyond_label,
    burst_label,
    lets_too_many_through,
)
from exercises.project61.part2_security.plan import (
    PATIENCE_SECONDS,
    TIERS,
    call,
    limits_of,
    one_who_chats,
    small_limits,
    small_limits_and_users,
)
from exercises.project61.readiness import wait_for_database
from exercises.project61.usage_report import tokens_reported, usage_of
from lab.experiment import experiment
from lab.lab import Lab

__all__ = ["access", "redis_down", "two_instances"]

USUAL_REQUESTS = 4
REQUESTS = 4
"""Of each user while Redis fails."""
APART_SECONDS = 1.5
"""Between tiers: what keeps Redis from answering in time, or a new window, meets one of them alone."""
AGAIN_SECONDS = 5.0
"""Before another user of a tier asks: for a service that leaves Redis alone for a while after a late answer."""
ONCE_MORE = 3
"""Requests in each other way; a bucket that is refilled all the time may let one of them through."""
GUESSED = ("free", "premium")
"""The role whose password is guessed, and the one whose own is tried for it."""
REST_SECONDS = 5.0
"""How long a service may leave Redis alone after a failure, before it meets the next."""


@experiment(seconds=8, settings=one_who_chats)
async def access(lab: Lab) -> None:
    """Strangers come with forged tokens, users with keys and without permissions; then input that is made to do harm."""
    await wait_for_database(lab)
    roles = ("free", "premium", "models_only")
    signed_in = dict(zip(roles, await asyncio.gather(*map(lab.login, roles)), strict=True))
    await _forge(lab, signed_in["free"])
    await _use_keys(lab, signed_in["free"])
    [chatting] = more_users(lab.history)
    await _overstep(lab, MODELS_ONLY, signed_in["models_only"])
    await _overstep(lab, CHAT_ONLY, await lab.login_as(chatting["username"], chatting["password"]))
    await _pry(lab, signed_in["free"], signed_in["premium"])
    await lab.record_database()
    await _attack(lab, signed_in["premium"])
    await _guess(lab)


@experiment(seconds=9, settings=small_limits_and_users)
async def two_instances(lab: Lab) -> None:
    """A key is revoked on one instance and used on another; then users of three tiers ask both for more than they may.

    Whoever has met a limit asks by an API key and for streams, too, and another user of the tier asks once. Of a tier
    that lets too many through, other users ask as often.
    """
    second = await lab.second()
    if second is None:
        return
    await asyncio.gather(wait_for_database(lab), wait_for_database(lab, second.client))
    key = await keys.create(lab, lab.token, label="elsewhere: create")
    await call(lab, "models", label="elsewhere: used", token=key.text, client=second.client)
    await keys.revoke(lab, key, lab.token, label="elsewhere: revoke")
    await keys.use_until_refused(lab, key, "Bearer", label="elsewhere: revoked", client=second.client)
    signed_in = await asyncio.gather(*map(lab.login, TIERS))
    # Made before the limits are reached: these may hold for making keys as well.
    made = [await keys.create(lab, token, label="limited: create key") for token in signed_in]
    lab.phase("fault")
    for tier, token, key in zip(TIERS, signed_in, made, strict=True):
        await _ask_for_too_much(lab, second.client, tier, token, number=1)
        await _ask_in_other_ways(lab, tier, token, key)
        await _ask_as_another(lab, tier)
        await asyncio.sleep(APART_SECONDS)
    for tier in TIERS:
        others = [user for user in more_users(lab.history) if user["tier"] == tier]
        for number, user in enumerate(others, start=2):
            if not lets_too_many_through(lab.history, tier, number - 1):
                break
            await asyncio.sleep(AGAIN_SECONDS)
            token = await lab.login_as(user["username"], user["password"])
            await _ask_for_too_much(lab, second.client, tier, token, number=number)


@experiment(seconds=6 + REST_SECONDS, settings=small_limits)
async def redis_down(lab: Lab) -> None:
    """Redis answers nothing, and later refuses connections, while three tiers ask."""
    signed_in = dict(zip(TIERS, await asyncio.gather(*map(lab.login, TIERS)), strict=True))
    for _ in range(USUAL_REQUESTS):
        await call(lab, "chat", label="usual", token=signed_in["enterprise"])
    most = limits_of(lab.history)["free"]
    await lab.get(lab.endpoint("metrics"), label="metrics before")
    lab.phase("fault")
    # Silence first: who leaves Redis alone for longer than the rest would never meet it.
    for name, _ in sorted(lab.vary(OUTAGES), key=lambda one: one[0] != "silent"):
        if name == "down":
            await asyncio.sleep(REST_SECONDS)
        await (lab.upstreams.outage if name == "down" else lab.upstreams.hang)("redis")
        for tier, count in (("enterprise", REQUESTS), ("premium", REQUESTS), ("free", 2 * most + 2)):
            for _ in range(count):
                await call(lab, "chat", label=f"{name}: {tier}", token=signed_in[tier])
        await lab.get(lab.endpoint("alive"), label=f"{name}: health", timeout=PATIENCE_SECONDS)
        await lab.get(lab.endpoint("metrics"), label="metrics after")
        await lab.upstreams.heal("redis")
    lab.phase("recovery")
    await call(lab, "chat", label="after", token=signed_in["enterprise"])


async def _guess(lab: Lab) -> None:
    """Log in with passwords that are wrong: last of all, for a service may lock whoever guesses."""
    assert lab.contract.login
    user, other = (lab.contract.users[role] for role in GUESSED)
    own = lab.secrets[user.password]
    guesses = {
        "a wrong password": lab.key(),
        "a letter more": f"{own}a",
        "another's": lab.secrets[other.password],
    }
    for what, password in guesses.items():
        body = lab.contract.login_body(user.name, password)
        await lab.client.json(
            "POST", lab.login_path, body, label=f"guessed: {what}", timeout=PATIENCE_SECONDS
        )


async def _ask_for_too_much(lab: Lab, other: Client, tier: str, token: str, *, number: int) -> None:
    """Ask two instances in turn, more than twice as often as a tier's limit allows, as the tier's user of this number."""
    clients = (lab.client, other)
    for count in range(2 * limits_of(lab.history)[tier] + 4):
        client = clients[count % len(clients)]
        await call(lab, "chat", label=burst_label(tier, number), token=token, client=client)


async def _ask_in_other_ways(lab: Lab, tier: str, token: str, key: keys.Key) -> None:
    """Ask on in the name of a user who has met a limit, for streams, and by an API key if there is one."""
    for _ in range(ONCE_MORE):
        nonce = lab.key()
        body = streamed_body(lab, nonce)
        label = beyond_label(STREAM, tier)
        await lab.client.json("POST", lab.ask_path, body, label=label, key=nonce, token=token)
        if key.text:
            await call(lab, "chat", label=beyond_label(API_KEY, tier), token=key.text)


async def _ask_as_another(lab: Lab, tier: str) -> None:
    """Ask once in the name of a user of a tier who has not asked yet."""
    *_, user = (user for user in more_users(lab.history) if user["tier"] == tier)
    token = await lab.login_as(user["username"], user["password"])
    await call(lab, "chat", label=beyond_label(ANOTHER, tier), token=token)


async def _forge(lab: Lab, genuine: str) -> None:
    for name, forge in lab.vary(FORGERIES):
        token = forge(lab, genuine)
        await asyncio.gather(
            *(
                call(lab, endpoint, label=f"forged: {name}", token=token)
                for endpoint, _ in lab.vary(ENDPOINTS)
            )
        )


async def _use_keys(lab: Lab, token: str) -> None:
    key = await keys.create(lab, token, label="key: create")
    for how, _ in lab.vary(PRESENTED):
        for endpoint in ("models", "chat"):
            await keys.use(lab, key, how, endpoint, label=f"key: as {how}")
    await call(lab, "keys", label="key: list", token=token)
    await keys.revoke(lab, key, token, label="key: revoke")
    for how, _ in lab.vary(PRESENTED):
        await keys.use_until_refused(lab, key, how, label=f"key: revoked as {how}")


async def _overstep(lab: Lab, permission: str, token: str) -> None:
    """Have a user who has one permission ask for more, by token and by a key if there is one."""
    key = await keys.create(lab, token, label="permission: create key")
    for how, credential in (("token", token), ("key", key.text)):
        if credential:
            await call(lab, permission, label="permission: allowed", token=credential)
            for _, (endpoint, only) in lab.vary(DENIED):
                if only == permission:
                    await call(lab, endpoint, label=f"permission: denied by {how}", token=credential)


async def _pry(lab: Lab, free: str, premium: str) -> None:
    """Have each of two users look for what the other has."""
    name = lab.contract.users["premium"].name
    await call(lab, "chat", label="private: asked", token=premium)
    key = await keys.create(lab, free, label="private: create")
    of_another = f"{lab.endpoint('usage')}?user={name}"
    await lab.get(of_another, label="private: usage of another", token=free)
    await call(lab, "keys", label="private: keys", token=premium)
    await keys.revoke(lab, key, premium, label="private: revoke another's")
    await keys.use(lab, key, "Bearer", "models", label="private: still works")
    [asked] = lab.history.exchanges("private: asked")
    spent = tokens_reported(lab.history.calls(key=asked.request.key))
    deadline = lab.recorder.now() + PATIENCE_SECONDS
    while lab.recorder.now() < deadline:
        usage = usage_of(await lab.get(of_another, label="private: usage for the admin", token=lab.token))
        if usage and usage.requests and usage.tokens == spent:
            break
        await asyncio.sleep(0.5)


async def _attack(lab: Lab, premium: str) -> None:
    lab.phase("fault")
    for chunked in (False, True):
        await send_large(lab, lab.token, label="large", chunked=chunked)
    for path, body in deep_bodies(lab):
        headers = {"content-type": "application/json"}
        await lab.client.request("POST", path, label="deep", body=body, headers=headers, token=lab.token)
    for text_name, text in lab.vary(TEXTS):
        await asyncio.gather(
            *(
                send(lab, text, lab.token, f"hostile: {text_name} as {place}")
                for place, send in lab.vary(PLACES)
            )
        )
    lab.phase("recovery")
    await lab.login("premium")
    usage = f"{lab.endpoint('usage')}?user={lab.contract.users['premium'].name}"
    before = usage_of(await lab.get(usage, label="harm: usage", token=lab.token))
    answer = await call(lab, "chat", label="harm: chat", token=premium)
    deadline = lab.recorder.now() + PATIENCE_SECONDS
    while before and isinstance(answer, Answer) and lab.recorder.now() < deadline:
        now = usage_of(await lab.get(usage, label="harm: usage", token=lab.token))
        if now and now.tokens > before.tokens:
            break
        await asyncio.sleep(0.5)
