import httpx
import pytest

from tests.conftest import FakeProvider

CHAT = "/api/v1/chat/completions"
HELLO = {"messages": [{"role": "user", "content": "Hello"}]}
COSTS = {"gpt-4o": 0.0045, "gpt-4o-mini": 0.00027}


@pytest.mark.parametrize(("status", "model"), [(200, "gpt-4o"), (429, "gpt-4o-mini")])
async def test_the_fallback_answers_for_a_model_that_is_rate_limited(
    client: httpx.AsyncClient, provider: FakeProvider, status: int, model: str
) -> None:
    provider.statuses = {"gpt-4o": status}

    response = await client.post(CHAT, json=HELLO)

    assert response.status_code == 200
    assert response.json() == {
        "content": "Hi.",
        "model": model,
        "usage": {"input_tokens": 1000, "output_tokens": 200, "total_tokens": 1200},
        "cost_usd": pytest.approx(COSTS[model]),
    }


@pytest.mark.parametrize(("status", "answered"), [(400, 400), (401, 502), (500, 502), (503, 502)])
async def test_other_failures_do_not_fall_back(
    client: httpx.AsyncClient, provider: FakeProvider, status: int, answered: int
) -> None:
    provider.statuses = {"gpt-4o": status}

    response = await client.post(CHAT, json=HELLO)

    assert response.status_code == answered
    assert provider.models == ["gpt-4o"]


async def test_the_first_model_answers_again(client: httpx.AsyncClient, provider: FakeProvider) -> None:
    provider.statuses = {"gpt-4o": 429}
    await client.post(CHAT, json=HELLO)
    provider.statuses = {}

    assert (await client.post(CHAT, json=HELLO)).json()["model"] == "gpt-4o"


async def test_a_rate_limit_everywhere_is_a_429(client: httpx.AsyncClient, provider: FakeProvider) -> None:
    provider.statuses = {"gpt-4o": 429, "gpt-4o-mini": 429}

    response = await client.post(CHAT, json=HELLO)

    assert response.status_code == 429
    assert provider.models == ["gpt-4o", "gpt-4o-mini"]


async def test_the_cost_of_an_unknown_model_is_null(client: httpx.AsyncClient) -> None:
    response = await client.post(CHAT, json={**HELLO, "model": "a-new-model"})

    assert response.json()["cost_usd"] is None
