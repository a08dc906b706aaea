"""Tests as a student of Project 6.1 would write them: they need no network and no other part of this repository."""

import asyncio
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jwt
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

from api.services.circuit_breaker import BreakerOpenError, CircuitBreaker, State
from api.services.content_filter.filter import RuleName, load_filter
from api.services.errors import NotAuthenticatedError
from api.services.limits.rates import Rate, parse_rates
from api.services.passwords import Passwords
from api.services.prices import estimate_cost
from api.services.prompts import Model
from api.services.tokens import TokenService
from api.utils.error_response import openai_error
from api.utils.retry import equal_jitter, parse_retry_after, retry

SECRET = "a secret of these tests, longer than 32 characters"


@pytest.fixture
def tokens() -> TokenService:
    return TokenService(secret=SECRET, lifetime=timedelta(minutes=5))


def test_a_token_names_its_user(tokens: TokenService) -> None:
    assert tokens.verify(tokens.issue("ada")) == "ada"


@pytest.mark.parametrize("forged", ["", "x.y.z", jwt.encode({"sub": "ada"}, "another key, that nobody gave to us")])
def test_a_forged_token_is_refused(tokens: TokenService, forged: str) -> None:
    with pytest.raises(NotAuthenticatedError):
        tokens.verify(forged)


def test_an_expired_token_is_refused() -> None:
    expired = TokenService(secret=SECRET, lifetime=timedelta(seconds=-1))
    with pytest.raises(NotAuthenticatedError):
        expired.verify(expired.issue("ada"))


def test_pauses_have_jitter() -> None:
    assert equal_jitter(2.0, lambda: 0.0) == 1.0
    assert equal_jitter(2.0, lambda: 1.0) == 2.0


def test_a_failure_that_passes_is_tried_again() -> None:
    answers = iter([ConnectionError(), ConnectionError(), "done"])
    pauses = []

    async def attempt() -> str:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    assert asyncio.run(retry(attempt, wait_at_least=lambda _: 0.0, sleep=sleep)) == "done"
    assert len(pauses) == 2
    assert pauses[0] < pauses[1] * 2


def test_a_refusal_is_not_tried_again() -> None:
    attempts = []

    async def attempt() -> None:
        attempts.append(1)
        raise ValueError("for good")

    with pytest.raises(ValueError, match="for good"):
        asyncio.run(retry(attempt, wait_at_least=lambda _: None))
    assert len(attempts) == 1


def test_retry_after_is_seconds_or_a_date() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    assert parse_retry_after("3") == 3.0
    assert parse_retry_after("Thu, 01 Jan 2026 00:00:07 GMT", now=now) == 7.0
    assert parse_retry_after("soon") is None


def test_the_breaker_opens_after_failures_in_a_row() -> None:
    breaker = CircuitBreaker(is_failure=lambda _: True, threshold=2)

    async def fail() -> None:
        raise ConnectionError

    async def ask() -> None:
        async with asyncio.timeout(5):
            await breaker.call(fail)

    for _ in range(2):
        with pytest.raises(ConnectionError):
            asyncio.run(ask())
    assert breaker.state is State.OPEN
    with pytest.raises(BreakerOpenError):
        asyncio.run(ask())


def test_an_unknown_model_costs_nothing() -> None:
    assert estimate_cost("unknown", 1000, 1000) == 0.0
    assert estimate_cost(Model.SECONDARY, 1_000_000, 0) == 2.5


def test_rates_are_read_from_json() -> None:
    assert parse_rates('{"free": "10/minute"}') == {"free": Rate(10, 60)}


def test_a_rate_that_is_none_is_told() -> None:
    with pytest.raises(ValueError, match="must be"):
        parse_rates('{"free": "many"}')


def test_a_password_is_kept_as_a_hash() -> None:
    passwords = Passwords()
    kept = asyncio.run(passwords.hash("correct horse"))
    assert "correct" not in kept
    assert asyncio.run(passwords.verify("correct horse", kept))
    assert not asyncio.run(passwords.verify("another", kept))


def test_errors_have_openais_form() -> None:
    body = openai_error(status=404, message="no such model", code="model_not_found")
    assert set(body["error"]) == {"message", "type", "code", "param"}


def test_a_filter_without_rules_lets_everything_pass() -> None:
    text = "my card is 4111 1111 1111 1111"
    assert load_filter([]).redact(text) == text
    assert "4111" not in load_filter([RuleName.PERSONAL_DATA]).redact(text)
