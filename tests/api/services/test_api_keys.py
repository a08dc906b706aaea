"""API keys from the outside, on SQLite and on PostgreSQL."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.services import api_keys, lookups
from api.services.api_keys import ApiKeys, derive_key
from api.services.callers import Caller, Permission, Tier, User
from api.services.database import Database as ServiceDatabase
from api.services.errors import IdentityUnavailableError, NotAuthenticatedError
from api.services.users import Account, UserStore
from tests.api.database import Database
from tests.api.support import PASSWORD, SECRET, Records, RunService, ask

pytestmark = pytest.mark.medium

USERS = json.dumps(
    [
        {"username": "admin", "password": PASSWORD, "tier": "enterprise", "permissions": list(Permission)},
        {"username": "ada", "password": PASSWORD, "tier": "free", "permissions": ["chat", "usage"]},
        {"username": "bob", "password": PASSWORD, "tier": "premium", "permissions": ["chat"]},
    ]
)


@pytest.fixture
def variables(variables: dict[str, str]) -> dict[str, str]:
    kept = {name: variables[name] for name in variables if "AUTH" not in name and "URL" not in name}
    return {**kept, "BOOTSTRAP_USERS": USERS, "MLFLOW_TRACKING_URI": ""}


@pytest.fixture
async def service(run_service: RunService) -> AsyncIterator[httpx.AsyncClient]:
    async with run_service() as client:
        del client.headers["Authorization"]
        yield client


async def log_in(client: httpx.AsyncClient, username: str) -> dict[str, str]:
    answer = await client.post("/auth/login", json={"username": username, "password": PASSWORD})
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


async def make_key(client: httpx.AsyncClient, headers: dict[str, str], **fields: Any) -> dict[str, Any]:
    """Waits for the database first: the service starts without."""
    async with asyncio.timeout(30):
        while True:
            answer = await client.post("/v1/api-keys", json={"name": "laptop", **fields}, headers=headers)
            if answer.status_code != 503:
                break
            await asyncio.sleep(0.05)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def status(client: httpx.AsyncClient, key: str) -> int:
    return (await client.get("/auth/me", headers={"Authorization": f"Bearer {key}"})).status_code


async def test_the_life_of_a_key(
    run_service: RunService, database_variables: dict[str, str], records: Records
) -> None:
    async with run_service(**database_variables) as service:
        del service.headers["Authorization"]
        await live_through(service)
    assert "llm_" not in str(records())


async def live_through(service: httpx.AsyncClient) -> None:
    ada = await log_in(service, "ada")
    made = await make_key(service, ada, permissions=["chat"])
    key = made["key"]
    assert made["permissions"] == ["chat"]

    for headers in ({"Authorization": f"Bearer {key}"}, {"X-API-Key": key}):
        me = await service.get("/auth/me", headers=headers)
        assert (me.status_code, me.json()) == (200, {"username": "ada"})
        refused = await service.get("/v1/usage", headers=headers)
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "permission_denied")
        minted = await service.post("/v1/api-keys", json={"name": "child"}, headers=headers)
        assert minted.status_code == 403

    listed = (await service.get("/v1/api-keys", headers=ada)).json()["data"]
    assert [card["id"] for card in listed] == [made["id"]]
    assert key not in json.dumps(listed)

    path = f"/v1/api-keys/{made['id']}"
    assert (await service.delete(path, headers=await log_in(service, "bob"))).status_code == 404
    assert await status(service, key) == 200
    assert (await service.delete(path, headers=ada)).status_code == 204
    assert await status(service, key) == 401
    assert (await service.delete(path, headers=ada)).status_code == 404
    assert (await service.get("/v1/api-keys", headers=ada)).json()["data"] == []


async def test_an_admin_ends_anybodys_key(service: httpx.AsyncClient) -> None:
    made = await make_key(service, await log_in(service, "ada"))
    admin = await log_in(service, "admin")
    assert (await service.delete(f"/v1/api-keys/{made['id']}", headers=admin)).status_code == 204
    assert await status(service, made["key"]) == 401


async def test_wrong_keys_are_401_and_wrong_requests_say_why(service: httpx.AsyncClient) -> None:
    ada = await log_in(service, "ada")
    made = await make_key(service, ada, expires_in=1)
    key = made["key"]
    for wrong in (
        key[:-1] + ("A" if key[-1] != "A" else "B"),
        key + "x",
        "llm_",
        "llm_" + "a" * 60,
        "llm_\xe9",
    ):
        answer = await service.get("/auth/me", headers={b"X-API-Key": wrong.encode()})
        assert answer.status_code == 401, wrong
    for body, expected in (
        ({"name": "all", "permissions": ["chat", "admin"]}, 403),
        ({"name": ""}, 400),
        ({"name": "a\0b"}, 400),
        ({"name": "x", "expires_in": 0}, 400),
        ({"name": "x", "permissions": ["fly"]}, 400),
    ):
        assert (await service.post("/v1/api-keys", json=body, headers=ada)).status_code == expected, body
    for strange in ("nothing", "%00", "a" * 500):
        assert (await service.delete(f"/v1/api-keys/{strange}", headers=ada)).status_code == 404

    expires = datetime.fromisoformat(made["expires_at"])
    async with asyncio.timeout(30):
        while datetime.now(UTC) < expires:
            await asyncio.sleep(0.02)
    assert await status(service, key) == 401


async def test_a_user_has_a_bounded_number_of_keys(
    service: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api_keys, "MOST_KEYS", 1)
    ada = await log_in(service, "ada")
    await make_key(service, ada)
    answer = await service.post("/v1/api-keys", json={"name": "second"}, headers=ada)
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "too_many_api_keys")


async def test_a_dump_of_the_database_has_no_key(
    run_service: RunService, postgres: Database, tmp_path: Path
) -> None:
    async with run_service(database_url=postgres.url) as client:
        made = await make_key(client, await log_in(client, "ada"))
        dump = await postgres.inside.dump()
    assert made["id"] in dump
    assert made["key"].split("_", 2)[2] not in dump

    async with run_service(database_path=str(tmp_path / "other.db")) as client:
        made = await make_key(client, await log_in(client, "ada"))
    content = b"".join(path.read_bytes() for path in tmp_path.glob("other.db*"))  # noqa: ASYNC240  a tiny local file
    assert made["id"].encode() in content
    assert made["key"].split("_", 2)[2].encode() not in content


async def test_a_revocation_holds_on_all_instances(run_service: RunService, postgres: Database) -> None:
    async with (
        run_service(database_url=postgres.url) as here,
        run_service(database_url=postgres.url) as there,
    ):
        ada = await log_in(here, "ada")
        made = await make_key(here, ada)
        async with asyncio.timeout(30):
            while await status(there, made["key"]) == 503:
                await asyncio.sleep(0.05)
        assert await status(there, made["key"]) == 200
        assert (await here.delete(f"/v1/api-keys/{made['id']}", headers=ada)).status_code == 204
        assert await status(here, made["key"]) == 401
        async with asyncio.timeout(30):
            while await status(there, made["key"]) == 200:
                await asyncio.sleep(0.05)
        assert await status(there, made["key"]) == 401


async def test_a_hanging_database_stops_no_known_caller(
    run_service: RunService, postgres: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookups, "FRESH_SECONDS", 0.0)
    async with run_service(database_url=postgres.url) as client:
        ada = await log_in(client, "ada")
        known, unknown = await make_key(client, ada), await make_key(client, ada)
        assert await status(client, known["key"]) == 200

        await postgres.hang()
        assert await status(client, known["key"]) == 200
        assert await status(client, unknown["key"]) == 503
        assert (await ask(client, headers=ada)).status_code == 200
        assert (await client.get("/v1/api-keys", headers=ada)).status_code == 503
        assert (await client.get("/v1/usage", headers=ada)).status_code == 503

        await postgres.heal()
        async with asyncio.timeout(30):
            while await status(client, unknown["key"]) != 200:
                await asyncio.sleep(0.05)


async def test_a_service_starts_without_its_database(run_service: RunService) -> None:
    async with run_service(database_url="postgresql://ada:secret-of-the-db@127.0.0.1:9/none") as client:
        ada = await log_in(client, "ada")
        assert (await ask(client, headers=ada)).status_code == 200
        assert await status(client, "llm_" + "a" * 16 + "_" + "b" * 43) == 503
        metrics = (await client.get("/metrics")).text
        assert "database_up 0.0" in metrics
        assert "usage_outbox_rows 1.0" in metrics


async def test_how_long_a_lookup_is_good_for(tmp_path: Path) -> None:
    now = 0.0
    database = ServiceDatabase(tmp_path / "api.db")
    users = UserStore([Account(User("ada", Tier.FREE, frozenset({Permission.CHAT})), PASSWORD)], None)
    keys = ApiKeys(database, users, secret=SECRET, clock=lambda: now)
    elsewhere = ApiKeys(database, users, secret=SECRET)
    owner = Caller("ada", Tier.FREE, frozenset({Permission.CHAT}))
    database.start()
    try:
        await database.wait_until_up()
        _, kept = await keys.create(owner, name="kept", permissions=frozenset(), lifetime=None)
        record, ended = await keys.create(owner, name="ended", permissions=owner.permissions, lifetime=None)
        caller = await keys.verify(ended)
        assert (caller.key, caller.permissions) == (record.id, owner.permissions)
        assert (await keys.verify(kept)).permissions == frozenset()
        await elsewhere.revoke(owner, record.id)
        now = lookups.FRESH_SECONDS * 0.99
        assert await keys.verify(ended) == caller
        now = lookups.FRESH_SECONDS
        with pytest.raises(NotAuthenticatedError):
            await keys.verify(ended)
        assert (await keys.verify(kept)).user == "ada"
    finally:
        await database.close()

    down = ServiceDatabase("postgresql://127.0.0.1:9/none")
    keys._keys._database = down
    now += lookups.GRACE_SECONDS * 0.99
    assert (await keys.verify(kept)).user == "ada"
    now += lookups.GRACE_SECONDS * 0.02
    with pytest.raises(IdentityUnavailableError):
        await keys.verify(kept)


def test_keys_are_derived_by_hkdf() -> None:
    """RFC 5869, test case 3 (no salt, no info) cut to one block, made by the RFC's own reference values."""
    secret = "\x0b" * 22
    assert derive_key(secret, "").hex() == "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d"
    assert derive_key(secret, "api-keys") != derive_key(secret, "tokens")


@pytest.mark.parametrize("path", ["/llm/generate", "/v1/chat/completions"])
async def test_a_key_without_chat_asks_no_model(
    path: str, run_service: RunService, database_variables: dict[str, str]
) -> None:
    async with run_service(**database_variables) as service:
        del service.headers["Authorization"]
        made = await make_key(service, await log_in(service, "ada"), permissions=["usage"])

        refused = await service.post(
            path,
            json={"model": "gpt-4o-secondary", "prompt": "?", "messages": [{"role": "user", "content": "?"}]},
            headers={"X-API-Key": made["key"]},
        )

    assert refused.status_code == 403
