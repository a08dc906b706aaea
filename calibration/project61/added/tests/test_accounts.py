"""Users, keys, usage and limits, through the whole gateway."""

import asyncio

import httpx
import pytest
from conftest import PASSWORD, Run, chat, logged_in


async def test_whoever_logs_in_is_known(client: httpx.AsyncClient) -> None:
    assert (await client.get("/auth/me")).json()["username"] == "ada"


async def test_a_wrong_password(client: httpx.AsyncClient) -> None:
    answer = await client.post("/auth/login", json={"username": "ada", "password": "another one"})
    assert answer.status_code == 401


@pytest.mark.parametrize("header", [{}, {"Authorization": "Bearer x.y.z"}, {"X-API-Key": "sk-of-nobody"}])
async def test_strangers_are_refused(client: httpx.AsyncClient, header: dict[str, str]) -> None:
    del client.headers["Authorization"]
    assert (await client.get("/auth/me", headers=header)).status_code == 401


async def test_a_key_until_it_is_revoked(with_database: httpx.AsyncClient) -> None:
    made = await with_database.post("/v1/api-keys", json={"name": "laptop", "permissions": ["chat"], "expires_in": 60})
    assert made.status_code == 201
    key = made.json()
    assert key["name"] == "laptop"
    assert (await with_database.get("/v1/api-keys")).status_code == 200
    del with_database.headers["Authorization"]
    assert (await with_database.get("/auth/me", headers={"Authorization": f"Bearer {key['key']}"})).status_code == 200
    with_database.headers["Authorization"] = await logged_in(with_database, "ada")
    assert (await with_database.delete(f"/v1/api-keys/{key['id']}")).status_code == 204
    assert (await with_database.delete("/v1/api-keys/no-such-key")).status_code == 404


async def test_users_come_and_go(with_database: httpx.AsyncClient) -> None:
    user = {"username": "eve", "password": PASSWORD, "tier": "free", "permissions": ["chat"]}
    assert (await with_database.post("/v1/users", json=user)).status_code == 201
    assert (await with_database.post("/v1/users", json=user)).status_code == 409
    assert [one["username"] for one in (await with_database.get("/v1/users")).json()["data"]] == ["eve"]
    assert (await logged_in(with_database, "eve")).startswith("Bearer ")
    assert (await with_database.delete("/v1/users/eve")).status_code == 204
    assert (await with_database.delete("/v1/users/eve")).status_code == 404


async def test_usage_arrives(with_database: httpx.AsyncClient) -> None:
    await chat(with_database)
    async with asyncio.timeout(10):
        while not (report := (await with_database.get("/v1/usage")).json())["totals"]["requests"]:
            await asyncio.sleep(0.05)
    assert report["user"] == "ada"


async def test_usage_of_a_range(with_database: httpx.AsyncClient) -> None:
    answer = await with_database.get("/v1/usage", params={"user": "*", "since": "2026-01-01", "until": "2026-01-31"})
    assert answer.json()["since"] == "2026-01-01"


async def test_limits(run: Run) -> None:
    limits = {"rate_limits": '{"enterprise": "3/day"}', "token_limits": '{"enterprise": "100000/day"}'}
    async with run(**limits, daily_budgets='{"enterprise": 10}') as client:
        statuses = [(await chat(client)).status_code for _ in range(6)]
    assert statuses[0] == 200
    assert set(statuses) <= {200, 429}


async def test_limits_without_their_redis(run: Run) -> None:
    limits = {"rate_limits": '{"enterprise": "100/day"}', "redis_url": "redis://127.0.0.1:9/0"}
    async with run(**limits) as client:
        answers = [await chat(client) for _ in range(5)]
    assert {answer.status_code for answer in answers} == {200}
