import httpx
import pytest

from src.services.limits import RequestLimitError, SlidingWindow
from tests.conftest import FakeProvider

CHAT = "/api/v1/chat/completions"
HELLO = {"messages": [{"role": "user", "content": "Hello"}]}


class FakeClock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


async def test_the_eleventh_request_is_refused(client: httpx.AsyncClient, provider: FakeProvider) -> None:
    responses = [
        await client.post(CHAT, json=HELLO, headers={"X-Forwarded-For": f"10.1.1.{number}"})
        for number in range(11)
    ]

    assert [response.status_code for response in responses] == [200] * 10 + [429]
    assert 1 <= int(responses[-1].headers["Retry-After"]) <= 60
    assert len(provider.models) == 10
    assert (await client.get("/health")).status_code == 200


def test_a_client_passes_again_when_it_was_told() -> None:
    clock = FakeClock()
    window = SlidingWindow(1, 60.0, clock)
    window.check("a")
    clock.now += 15

    with pytest.raises(RequestLimitError) as refusal:
        window.check("a")
    clock.now += refusal.value.retry_after
    window.check("a")

    assert refusal.value.retry_after == 45.0


def test_clients_are_forgotten_after_a_window() -> None:
    clock = FakeClock()
    window = SlidingWindow(10, 60.0, clock)
    for number in range(10_000):
        window.check(f"client-{number}")

    clock.now += 60
    window.check("another")

    assert len(window) == 1
