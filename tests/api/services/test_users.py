"""Users of the settings and of the database, from the outside."""

import json
from collections.abc import AsyncIterator

import httpx
import pytest

from api.services import lookups
from api.services.passwords import Passwords
from tests.api.database import Database
from tests.api.services.test_api_keys import USERS, log_in, make_key, status
from tests.api.support import PASSWORD, Records, RunService

pytestmark = pytest.mark.medium

EVES_PASSWORD = "eves-own-password"
EVE = {"username": "eve", "password": EVES_PASSWORD, "permissions": ["chat"]}


@pytest.fixture
def variables(variables: dict[str, str]) -> dict[str, str]:
    kept = {name: variables[name] for name in variables if "AUTH" not in name and "URL" not in name}
    return {**kept, "BOOTSTRAP_USERS": USERS, "MLFLOW_TRACKING_URI": ""}


@pytest.fixture
async def service(
    run_service: RunService, database_variables: dict[str, str]
) -> AsyncIterator[httpx.AsyncClient]:
    async with run_service(**database_variables) as client:
        await make_key(client, {})  # the database is up once this is done
        yield client


async def login(client: httpx.AsyncClient, username: str, password: str) -> httpx.Response:
    return await client.post("/auth/login", json={"username": username, "password": password})


async def test_the_life_of_a_user(service: httpx.AsyncClient, records: Records) -> None:
    made = await service.post("/v1/users", json=EVE)
    assert made.status_code == 201
    assert made.json()["tier"] == "free"
    assert (await service.post("/v1/users", json=EVE)).status_code == 409
    assert (await service.post("/v1/users", json={**EVE, "username": "ada"})).status_code == 409
    assert [user["username"] for user in (await service.get("/v1/users")).json()["data"]] == ["eve"]

    assert (await login(service, "eve", PASSWORD)).status_code == 401
    token = (await login(service, "eve", EVES_PASSWORD)).json()["access_token"]
    eve = {"Authorization": f"Bearer {token}"}
    assert (await service.get("/auth/me", headers=eve)).json() == {"username": "eve"}
    assert (await service.get("/v1/usage", headers=eve)).status_code == 403
    assert (await service.get("/v1/users", headers=eve)).status_code == 403
    key = (await make_key(service, eve))["key"]
    assert await status(service, key) == 200

    assert (await service.delete("/v1/users/eve")).status_code == 204
    assert (await service.delete("/v1/users/eve")).status_code == 404
    assert (await service.delete("/v1/users/ada")).status_code == 404
    assert await status(service, token) == 401
    assert (await login(service, "eve", EVES_PASSWORD)).status_code == 401
    again = await service.post("/v1/users", json=EVE)
    assert again.status_code == 201
    assert EVES_PASSWORD not in str(records())


async def test_wrong_logins_are_alike(service: httpx.AsyncClient) -> None:
    await service.post("/v1/users", json=EVE)
    answers = []
    for username in ("admin", "eve", "nobody", "no\0body", "x" * 256):
        answer = await login(service, username, "wrong-password")
        answers.append((answer.status_code, answer.json()["error"]))
    assert answers == [(401, "bad_credentials")] * 5
    body = b'{"username": "eve", "password": "half a surrogate pair: \\ud800"}'
    answer = await service.post("/auth/login", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 401


async def test_wrong_users_are_refused(service: httpx.AsyncClient) -> None:
    for wrong in (
        {"username": ""},
        {"username": "a\nb"},
        {"username": "x" * 257},
        {"password": "short"},
        {"tier": "golden"},
        {"permissions": ["fly"]},
    ):
        answer = await service.post("/v1/users", content=json.dumps({**EVE, **wrong}))
        assert answer.status_code == 400, wrong
        assert EVES_PASSWORD not in answer.text
    for strange in ("%00", "%ff", "x" * 500):
        assert (await service.delete(f"/v1/users/{strange}")).status_code == 404


async def test_without_the_database_its_users_are_503_and_the_settings_users_themselves(
    run_service: RunService, postgres: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with run_service(database_url=postgres.url) as client:
        await make_key(client, {})
        await client.post("/v1/users", json=EVE)
        token = (await login(client, "eve", EVES_PASSWORD)).json()["access_token"]
        dump = await postgres.inside.dump()
        assert "eve" in dump
        assert "$argon2id$" in dump
        assert EVES_PASSWORD not in dump

        await postgres.hang()
        monkeypatch.setattr(lookups, "FRESH_SECONDS", 0.0)
        assert await status(client, token) == 200
        assert (await client.get("/auth/me", headers=await log_in(client, "ada"))).status_code == 200
        answer = await login(client, "nobody", PASSWORD)
        assert (answer.status_code, answer.json()["error"]) == (503, "identity_unavailable")
        monkeypatch.setattr(lookups, "GRACE_SECONDS", 0.0)
        assert await status(client, token) == 503
        assert (await client.post("/v1/users", json={**EVE, "username": "new"})).status_code == 503


async def test_a_password_has_another_hash_each_time() -> None:
    passwords = Passwords()
    one, two = await passwords.hash(PASSWORD), await passwords.hash(PASSWORD)
    assert one != two
    assert await passwords.verify(PASSWORD, one)
    assert not await passwords.verify(PASSWORD + "x", one)
    assert not await passwords.verify(PASSWORD, None)
    assert not await passwords.verify(PASSWORD, "no hash")
