import asyncio
from dataclasses import dataclass
from typing import Any

import pytest

from api.services.callers import Caller, Tier
from api.services.errors import (
    BudgetExceededError,
    LimitExceededError,
    RateLimitExceededError,
    TooManyTokensError,
)
from api.services.limits.counters import MemoryCounters
from api.services.limits.limiter import Limiter, Limits, remember_admission, settle_answer
from api.services.limits.local_counters import LocalCounters
from api.services.limits.rates import Budgets, Rate
from api.services.limits.shared_counters import SharedCounters
from api.services.limits.spending import Spending
from chaos.redis import RedisServer
from chaos.toxiproxy.client import ProxyHandle
from tests.api.services.limits.support import redis_client, redis_counters, sample

NOW = 1_000_000_010.0
"""10 seconds before the end of a minute."""
FREE = Caller("alice", Tier.FREE, frozenset())
PREMIUM = Caller("bob", Tier.PREMIUM, frozenset())
MINUTE = 60
NO_BUDGETS = Budgets({}, {})


def limits(*, requests: int = 0, tokens: int = 0, budgets: Budgets = NO_BUDGETS) -> Limits:
    return Limits(
        requests={Tier.FREE: Rate(requests, MINUTE)} if requests else {},
        tokens={Tier.FREE: Rate(tokens, MINUTE)} if tokens else {},
        budgets=budgets,
    )


class Clock:
    now = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def make(limits: Limits, clock: Clock, spending: Spending | None = None) -> Limiter:
    return Limiter(limits, LocalCounters(MemoryCounters(clock)), spending or Spending(None), timeout=0.02)


async def refusal(limiter: Limiter, caller: Caller = FREE, **expected: Any) -> LimitExceededError:
    with pytest.raises(LimitExceededError) as raised:
        await limiter.admit(caller, **expected)
    return raised.value


async def test_requests_are_counted_for_each_user_and_told_in_headers(clock: Clock) -> None:
    limiter = make(limits(requests=2), clock)
    await limiter.admit(FREE)
    admission = await limiter.admit(FREE)

    assert admission.headers == {
        "X-RateLimit-Limit": "2",
        "X-RateLimit-Remaining": "0",
        "X-RateLimit-Reset": "10",
    }
    error = await refusal(limiter)
    assert isinstance(error, RateLimitExceededError)
    assert error.retry_after == 10
    assert error.headers == admission.headers
    await limiter.admit(Caller("carol", Tier.FREE, frozenset()))

    clock.now += 10
    assert (await limiter.admit(FREE)).headers["X-RateLimit-Remaining"] == "1"


async def test_a_tier_that_is_not_named_has_no_limit(clock: Clock) -> None:
    limiter = make(limits(requests=1), clock)

    for _ in range(5):
        assert (await limiter.admit(PREMIUM, tokens=10**9)).headers == {}


async def test_tokens_are_reserved_and_settled(clock: Clock) -> None:
    limiter = make(limits(requests=9, tokens=100), clock)
    admission = await limiter.admit(FREE, tokens=80)
    assert admission.headers["X-RateLimit-Remaining-Tokens"] == "20"
    assert (await refusal(limiter, tokens=30)).headers["X-RateLimit-Remaining"] == "8"
    admission.settle(tokens=10, cost=0)
    admission.settle(tokens=99, cost=0)

    assert (await limiter.admit(FREE, tokens=30)).headers["X-RateLimit-Remaining-Tokens"] == "60"


async def test_what_uses_more_than_was_reserved_is_counted_too(clock: Clock) -> None:
    limiter = make(limits(tokens=100), clock)
    (await limiter.admit(FREE, tokens=1)).settle(tokens=130, cost=0)

    assert (await refusal(limiter, tokens=1)).headers["X-RateLimit-Remaining-Tokens"] == "0"


async def test_tokens_settled_after_their_window_do_not_count_in_the_next(clock: Clock) -> None:
    limiter = make(limits(tokens=100), clock)
    admission = await limiter.admit(FREE, tokens=50)
    clock.now += 10
    await limiter.admit(FREE, tokens=20)
    admission.settle(tokens=1, cost=0)

    assert (await limiter.admit(FREE, tokens=1)).headers["X-RateLimit-Remaining-Tokens"] == "79"


@dataclass
class Answer:
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float = 0.0
    cached: bool = False
    status: str = "ok"


@pytest.mark.parametrize(
    ("answer", "left"),
    [
        (Answer(prompt_tokens=7, completion_tokens=5), 88),
        (Answer(prompt_tokens=7, completion_tokens=5, cached=True), 100),
        (Answer(status="upstream_error"), 100),
        (Answer(status="client_closed_request"), 60),
        (Answer(status="client_closed_request", prompt_tokens=7, completion_tokens=5), 88),
    ],
)
async def test_the_facts_of_an_answer_settle_its_request(clock: Clock, answer: Answer, left: int) -> None:
    limiter = make(limits(tokens=100), clock)

    async def serve(answer: Answer, tokens: int) -> None:
        remember_admission(await limiter.admit(FREE, tokens=tokens))
        await asyncio.create_task(observe(answer))

    async def observe(answer: Answer) -> None:
        settle_answer(answer)

    await asyncio.gather(asyncio.create_task(serve(answer, 40)), asyncio.create_task(serve(Answer(), 50)))
    settle_answer(Answer(prompt_tokens=1000))  # of a request that nobody limits

    assert (await limiter.admit(FREE)).headers["X-RateLimit-Remaining-Tokens"] == str(left)


async def test_a_request_that_no_window_has_room_for_is_told_so(clock: Clock) -> None:
    limiter = make(limits(requests=1, tokens=100), clock)

    with pytest.raises(TooManyTokensError):
        await limiter.admit(FREE, tokens=101)
    await limiter.admit(FREE, tokens=100)


async def test_a_budget_stops_the_first_request_after_it_is_used_up(clock: Clock) -> None:
    limiter = make(limits(budgets=Budgets({Tier.FREE: 1.0}, {})), clock)
    (await limiter.admit(FREE, cost=0.1)).settle(tokens=0, cost=0.999999)
    (await limiter.admit(FREE, cost=0.1)).settle(tokens=0, cost=0.5)

    error = await refusal(limiter, cost=0.1)
    assert isinstance(error, BudgetExceededError)
    assert error.retry_after == 86400 - NOW % 86400
    clock.now += error.retry_after
    await limiter.admit(FREE, cost=0.1)


async def test_many_requests_at_once_pass_a_budget_by_one_estimate_at_most(clock: Clock) -> None:
    limiter = make(limits(budgets=Budgets({Tier.FREE: 1.0}, {})), clock)
    results = await asyncio.gather(
        *(limiter.admit(FREE, cost=0.3) for _ in range(50)), return_exceptions=True
    )

    assert sum(not isinstance(result, BaseException) for result in results) == 4


async def test_the_limit_that_keeps_longest_is_the_one_that_is_told(clock: Clock) -> None:
    limiter = make(limits(requests=1, budgets=Budgets({}, {"alice": 0.0})), clock)
    before = sample("limits_decisions_total", tier="free", outcome="budget")

    assert isinstance(await refusal(limiter), BudgetExceededError)
    assert sample("limits_decisions_total", tier="free", outcome="budget") == before + 1


async def test_a_budget_begins_with_what_was_spent_today(clock: Clock) -> None:
    asked = []

    async def spent_today(user: str) -> float:
        asked.append(user)
        return 0.75

    limiter = make(limits(budgets=Budgets({Tier.FREE: 1.0}, {})), clock, Spending(spent_today))
    (await limiter.admit(FREE, cost=0.1)).settle(tokens=0, cost=0.25)

    await refusal(limiter)
    assert asked == ["alice"]


async def test_a_budget_that_nobody_knows_refuses_nobody(clock: Clock) -> None:
    async def spent_today(_user: str) -> float:
        raise OSError

    limiter = make(limits(requests=9, budgets=Budgets({Tier.FREE: 0.0}, {})), clock, Spending(spent_today))

    assert (await limiter.admit(FREE)).headers["X-RateLimit-Remaining"] == "8"
    assert (await limiter.admit(FREE)).headers["X-RateLimit-Remaining"] == "7"


async def test_what_is_known_too_late_counts_for_the_next_request(clock: Clock) -> None:
    known = asyncio.Event()

    async def spent_today(_user: str) -> float:
        await known.wait()
        return 5.0

    spending = Spending(spent_today)
    limiter = make(limits(budgets=Budgets({Tier.FREE: 1.0}, {})), clock, spending)
    await limiter.admit(FREE)
    known.set()
    await spending._asking["alice"].task

    assert isinstance(await refusal(limiter), BudgetExceededError)
    await limiter.close()


async def test_what_was_spent_while_nobody_knew_is_counted_as_soon_as_it_is_known(clock: Clock) -> None:
    spent, slow = 0.0, asyncio.Event()

    async def spent_today(_user: str) -> float:
        answer = spent
        await slow.wait()
        return answer

    spending = Spending(spent_today)
    limiter = make(limits(budgets=Budgets({Tier.FREE: 1.0}, {})), clock, spending)
    uncounted = await limiter.admit(FREE, cost=0.1)
    spent = 5.0
    uncounted.settle(tokens=0, cost=spent)
    slow.set()
    await spending._asking["alice"].task

    # The answer is of before: it makes the counter, and is not the last word.
    (await limiter.admit(FREE, cost=0.1)).settle(tokens=0, cost=0.1)
    assert isinstance(await refusal(limiter), BudgetExceededError)
    assert not spending.is_uncounted("alice")
    await limiter.close()


async def test_closing_ends_what_is_still_asked(clock: Clock) -> None:
    async def spent_today(_user: str) -> float:
        await asyncio.Event().wait()
        return 0.0

    limiter = make(limits(budgets=Budgets({Tier.FREE: 1.0}, {})), clock, Spending(spent_today))
    await limiter.admit(FREE)

    await limiter.close()
    assert len(asyncio.all_tasks()) == 1


async def test_a_budget_that_redis_has_lost_is_rebuilt(server: RedisServer, proxy: ProxyHandle) -> None:
    spent = 0.0

    async def spent_today(_user: str) -> float:
        return spent

    budgets = limits(requests=100, budgets=Budgets({Tier.FREE: 1.0}, {}))
    async with redis_counters(proxy.port) as redis, redis_client(server.port) as client:
        counters = SharedCounters(redis, MemoryCounters())
        limiter = Limiter(budgets, counters, Spending(spent_today), timeout=30)
        (await limiter.admit(FREE, cost=0.1)).settle(tokens=0, cost=0.4)
        spent = 0.4
        await client.flushall()
        (await limiter.admit(FREE, cost=0.1)).settle(tokens=0, cost=0.6)
        spent = 1.0

        assert isinstance(await refusal(limiter), BudgetExceededError)
        await client.flushall()
        assert isinstance(await refusal(limiter), BudgetExceededError)
        await proxy.disable()
        assert isinstance(await refusal(limiter), BudgetExceededError)
        await limiter.close()
