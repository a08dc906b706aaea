"""Usage from the outside: rows that nothing loses, and what is said of them."""

import asyncio
import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from api.services.answered import Answered
from api.services.callers import Caller, Permission, Tier
from api.services.records import UsageRow
from tests.api.database import Database
from tests.api.killed import Killed
from tests.api.support import PASSWORD, Records, RunService, ask
from tests.api.upstream import Upstream, respond

pytestmark = pytest.mark.medium

CALLER = Caller("ada", Tier.FREE, frozenset(Permission), key="k" * 16)


async def usage(client: httpx.AsyncClient, *, requests: int, **query: str) -> dict[str, object]:
    """The usage once it has that many requests; the database may not be there yet."""
    async with asyncio.timeout(30):
        while True:
            answer = await client.get("/v1/usage", params=query)
            assert answer.status_code in {200, 503}, answer.text
            content: dict[str, object] = answer.json()
            if answer.status_code == 200 and answer.json()["totals"]["requests"] >= requests:
                return content
            await asyncio.sleep(0.05)


async def test_it_is_summed_by_day_model_and_user(
    run_service: RunService, database_variables: dict[str, str], upstream: Upstream
) -> None:
    async with run_service(**database_variables) as client:
        await ask(client, "one")
        await ask(client, "two", model="gemini-third")
        upstream.script.append(respond(400))
        assert (await ask(client, "three")).status_code == 400
        mine = await usage(client, requests=3)
        login = {"username": "user", "password": PASSWORD + "-too"}
        token = (await client.post("/auth/login", json=login)).json()["access_token"]
        user = {"Authorization": f"Bearer {token}"}
        await ask(client, "four", headers=user)
        everybody = await usage(client, requests=4, user="*")
        theirs = await usage(client, requests=1, user="user")

        for whose in ("admin", "*", "nobody"):
            refused = await client.get("/v1/usage", params={"user": whose}, headers=user)
            assert (refused.status_code, refused.json()["error"]["code"]) == (403, "permission_denied")
        assert (await client.get("/v1/usage", headers=user)).json()["totals"]["requests"] == 1
        past = await client.get("/v1/usage", params={"until": "2001-01-01"})
        assert (past.json()["data"], past.json()["since"]) == ([], "2000-12-03")
        for wrong in ({"since": "yesterday"}, {"user": "a\0b"}):
            assert (await client.get("/v1/usage", params=wrong)).status_code == 400
        assert (await client.get("/v1/usage", params={"until": "0001-01-01"})).status_code == 200

    today = datetime.now(UTC).date()
    assert mine["totals"] == {
        "requests": 3,
        "errors": 1,
        "prompt_tokens": 14,
        "completion_tokens": 10,
        "total_tokens": 24,
        "cost": pytest.approx(0.0000675 + 0.0000146),
    }
    assert mine["pending"] == 0
    groups = mine["data"]
    assert isinstance(groups, list)
    assert [(group["model"], group["user"], group["requests"], group["errors"]) for group in groups] == [
        ("gemini-third", "admin", 1, 0),
        ("gpt-4o-secondary", "admin", 2, 1),
    ]
    assert {date.fromisoformat(group["day"]) for group in groups} <= {today, today - timedelta(days=1)}
    assert everybody["totals"]["requests"] == 4  # type: ignore[index]  # it is JSON
    assert [group["user"] for group in theirs["data"]] == ["user"]  # type: ignore[attr-defined]


async def test_requests_that_share_an_id_are_all_counted(run_service: RunService) -> None:
    async with run_service() as client:
        for _ in range(3):
            await ask(client, headers={"X-Request-ID": "the-same"})
        await usage(client, requests=3)


async def test_a_database_that_hangs_or_is_away_delays_no_answer_and_loses_no_row(
    run_service: RunService, postgres: Database
) -> None:
    asked: list[str] = []

    async def load(client: httpx.AsyncClient, name: str) -> None:
        """Fifty answers, all of them while the fault holds."""
        ids = [f"{name}-{number}" for number in range(50)]
        asked.extend(ids)
        answers = await asyncio.gather(
            *(ask(client, request_id, headers={"X-Request-ID": request_id}) for request_id in ids)
        )
        assert [answer.status_code for answer in answers] == [200] * 50

    async with run_service(database_url=postgres.url) as client:
        await load(client, "before")
        await postgres.wait_for_rows(50)
        await postgres.hang()
        await load(client, "hanging")
        assert len(await postgres.request_ids()) == 50
        await postgres.heal()
        await postgres.wait_for_rows(100)
        await postgres.go_away()
        await load(client, "away")
        assert len(await postgres.request_ids()) == 100
        await postgres.heal()
        await load(client, "after")
        rows = await postgres.wait_for_rows(200)
    assert sorted(rows) == sorted(asked)


async def test_the_next_start_delivers_what_the_last_could_not(
    run_service: RunService, postgres: Database
) -> None:
    await postgres.go_away()
    async with run_service(database_url=postgres.url) as client:
        await ask(client, headers={"X-Request-ID": "kept"})
    await postgres.heal()
    async with run_service(database_url=postgres.url):
        assert await postgres.wait_for_rows(1) == ["kept"]


async def test_a_full_outbox_costs_rows_and_no_answer(run_service: RunService, records: Records) -> None:
    refused = "postgresql://127.0.0.1:9/none"
    async with run_service(database_url=refused, usage_outbox_max_bytes=500) as client:
        before = lost((await client.get("/metrics")).text)
        for _ in range(5):
            assert (await ask(client)).status_code == 200
        metrics = (await client.get("/metrics")).text
    assert "usage_outbox_rows 1.0" in metrics
    assert lost(metrics) == before + 4
    (record,) = [record for record in records() if record["message"] == "usage is being lost"]
    assert record["reason"] == "OutboxFullError"
    assert record["level"] == "error"


def lost(metrics: str) -> float:
    lines = (line for line in metrics.splitlines() if line.startswith('usage_rows_total{outcome="lost"}'))
    return float(next(lines, "0").split()[-1])


async def test_an_outbox_that_cannot_be_made_costs_no_answer(
    run_service: RunService, tmp_path: Path, records: Records
) -> None:
    (tmp_path / "file").touch()
    async with run_service(usage_outbox_path=str(tmp_path / "file" / "usage")) as client:
        assert (await ask(client)).status_code == 200
    assert [record for record in records() if record["message"] == "usage is being lost"]


async def test_damaged_lines_are_left_out(run_service: RunService, tmp_path: Path, records: Records) -> None:
    row = UsageRow.of(answered())
    folder = tmp_path / "usage"
    folder.mkdir()
    lines = [row.model_dump_json(), '{"id": "', "\0\0\0", "", row.model_dump_json()[:-20]]
    (folder / "left.jsonl").write_text("\n".join(lines))
    async with run_service() as client:
        content = await usage(client, requests=1, user="ada")
    assert content["totals"]["prompt_tokens"] == 7  # type: ignore[index]  # it is JSON
    damaged = [record for record in records() if "damaged" in record["message"]]
    assert len(damaged) == 3
    assert list(folder.iterdir()) == []


def answered(**fields: object) -> Answered:
    facts: dict[str, object] = {
        "request_id": "r",
        "caller": CALLER,
        "model": "m",
        "prompt_tokens": 7,
        "completion_tokens": 5,
        "cost": 0.1,
        "latency": 0.25,
        "fields": {},
        "began_ns": 0,
        "status": "ok",
    }
    return Answered(**{**facts, **fields})  # type: ignore[arg-type]  # of several types


def test_a_row_fits_its_columns() -> None:
    row = UsageRow.of(answered(model="\0\ud800" + "x" * 500, prompt_tokens=2**60, cost=1e30))
    assert UsageRow.model_validate_json(row.model_dump_json()) == row
    assert row.model == "??" + "x" * 126
    assert row.prompt_tokens == 2**31 - 1
    assert row.cost_nanousd == 2**63 - 1
    assert UsageRow.of(answered()).cost_nanousd == 100_000_000


@pytest.mark.slow
async def test_kill_9_after_an_answer_loses_no_row(
    variables: dict[str, str], postgres: Database, upstream: Upstream, tmp_path: Path
) -> None:
    service = Killed({**variables, "LITELLM_URL": upstream.url, "DATABASE_URL": postgres.url})
    await service.run(answers=200, kills=3)
    rows = await postgres.request_ids()
    assert len(rows) == len(set(rows))
    assert service.answered <= set(rows) <= service.asked
    assert json.loads(await postgres.inside.query("SELECT json_agg(DISTINCT status) FROM usage")) == ["ok"]
    assert [path for path in (tmp_path / "usage").iterdir() if path.stat().st_size] == []
