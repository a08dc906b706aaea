import httpx
import pytest

from src.services.selection import MODELS

PATH = "/api/v1/models/select"


@pytest.mark.parametrize(
    ("tier", "task", "budget", "profile"),
    [
        ("enterprise", "simple", 1, "quality"),
        ("enterprise", "complex", 60_000, "quality"),
        ("premium", "simple", 500, "cheap"),
        ("free", "moderate", 999, "fast"),
        ("premium", "complex", 1, "fast"),
        ("free", "complex", 1000, "balanced"),
    ],
)
async def test_the_first_rule_that_holds_decides(
    client: httpx.AsyncClient, tier: str, task: str, budget: int, profile: str
) -> None:
    response = await client.post(
        PATH, json={"tier": tier, "task_complexity": task, "latency_budget_ms": budget}
    )

    assert response.status_code == 200
    body = response.json()
    assert body["profile"] == profile
    assert body["model"]
    assert body["reason"]


@pytest.mark.parametrize(
    "wrong",
    [{"tier": "gold"}, {"task_complexity": None}, {"latency_budget_ms": 0}, {"latency_budget_ms": 60_001}],
)
async def test_anything_else_is_refused(client: httpx.AsyncClient, wrong: dict[str, object]) -> None:
    body = {"tier": "free", "task_complexity": "simple", "latency_budget_ms": 10, **wrong}

    assert (await client.post(PATH, json=body)).status_code == 422


def test_quality_is_not_cheap() -> None:
    assert MODELS["quality"] != MODELS["cheap"]
