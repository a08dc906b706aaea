"""Whether a request may go ahead: its caller's requests and tokens in a window, and US dollars a day.

    admit(estimate) ──> admitted, or 429 ──> answer ──> settle(what was used)

Tokens and money are reserved by an estimate before the answer, so that many requests at once cannot pass a limit
together, and settled by what was used after it.
"""

import asyncio
import math
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from api.services.callers import Caller, Tier
from api.services.errors import (
    BudgetExceededError,
    ClientDisconnectedError,
    LimitExceededError,
    RateLimitExceededError,
    TooManyTokensError,
)
from api.services.limits.counters import Adjustment, Charge, Reservation, Status
from api.services.limits.rates import SECONDS, Budgets, Rate
from api.services.limits.spending import MICRODOLLARS, Spending
from api.services.metrics import LIMITS_DECISIONS, LIMITS_WAIT

DAY = SECONDS["day"]


class Counters(Protocol):
    async def reserve(self, charges: Sequence[Charge], deadline: float) -> Reservation: ...

    def adjust(self, adjustments: Sequence[Adjustment]) -> None: ...

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Limits:
    """What each tier may use. A tier that is not named has no limit."""

    requests: Mapping[Tier, Rate]
    tokens: Mapping[Tier, Rate]
    budgets: Budgets


class Admission:
    """A request that may go ahead; `headers` tell its caller what is left. To be settled when it has ended.

    `on_uncounted` is called if it has cost something, and there was no counter to reserve that in.
    """

    def __init__(
        self,
        counters: Counters,
        headers: Mapping[str, str],
        *,
        tokens: Adjustment | None = None,
        cost: Adjustment | None = None,
        on_uncounted: Callable[[], None] | None = None,
    ) -> None:
        self.headers = headers
        self._counters = counters
        self._tokens = tokens
        self._cost = cost
        self._on_uncounted = on_uncounted

    def settle(self, *, tokens: int, cost: float) -> None:
        """Replace the estimates by the tokens and US dollars that were used. Only the first call counts."""
        if cost and self._on_uncounted is not None:
            self._on_uncounted()
        used = ((self._tokens, tokens), (self._cost, round(cost * MICRODOLLARS)))
        self._tokens = self._cost = self._on_uncounted = None
        adjustments = [
            reserved._replace(amount=amount - reserved.amount)
            for reserved, amount in used
            if reserved is not None and amount != reserved.amount
        ]
        if adjustments:
            self._counters.adjust(adjustments)


_current: ContextVar[Admission | None] = ContextVar("admission", default=None)
"""Of the request that is served in this context."""


class Used(Protocol):
    """The facts of an answer that limits are about. `status` is "ok" or the slug of a failure."""

    prompt_tokens: int
    completion_tokens: int
    cost: float
    cached: bool
    status: str


def remember_admission(admission: Admission) -> None:
    """Have `settle_answer` settle this one, in this context and in tasks that are begun in it."""
    _current.set(admission)


def settle_answer(answered: Used) -> None:
    """Settle the request that is being served by the facts of its answer."""
    admission = _current.get()
    tokens = 0 if answered.cached else answered.prompt_tokens + answered.completion_tokens
    # Of whoever leaves before anything was counted, nobody knows what the model did: the estimate stands.
    abandoned = answered.status == ClientDisconnectedError.slug and not tokens
    if admission is not None and not abandoned:
        admission.settle(tokens=tokens, cost=answered.cost)


class Limiter:
    """`timeout` is how long a decision may wait for Redis, in seconds."""

    def __init__(self, limits: Limits, counters: Counters, spending: Spending, *, timeout: float) -> None:
        self._limits = limits
        self._counters = counters
        self._spending = spending
        self._timeout = timeout
        self._unlimited = Admission(counters, {})

    async def admit(self, caller: Caller, *, tokens: int = 0, cost: float = 0.0) -> Admission:
        """Count a request that is expected to use so many tokens and US dollars.

        Raises RateLimitExceededError, BudgetExceededError, or TooManyTokensError for a request that no window has room
        for.
        """
        charges = self._charges(caller, tokens, cost)
        if not charges:
            return self._unlimited
        loop = asyncio.get_running_loop()
        began = loop.time()
        names, reservation = await self._reserve(caller, charges, began + self._timeout)
        LIMITS_WAIT.observe(loop.time() - began)
        headers = _headers(charges, names, reservation)
        if reservation.status is Status.REFUSED:
            outcome, error = _refusal(charges, names, reservation, headers)
            LIMITS_DECISIONS.labels(caller.tier, outcome).inc()
            raise error
        LIMITS_DECISIONS.labels(caller.tier, "admitted").inc()
        reserved = {
            name: Adjustment(charges[name].key, count.start, charges[name].seconds, charges[name].amount)
            for name, count in zip(names, reservation.counts, strict=True)
        }
        uncounted = "budget" in charges and "budget" not in reserved
        return Admission(
            self._counters,
            headers,
            tokens=reserved.get("tokens"),
            cost=reserved.get("budget"),
            on_uncounted=partial(self._spending.add_uncounted, caller.user) if uncounted else None,
        )

    async def close(self) -> None:
        await self._spending.close()
        await self._counters.close()

    def _charges(self, caller: Caller, tokens: int, cost: float) -> dict[str, Charge]:
        user, tier = caller.user, caller.tier
        charges = {}
        if rate := self._limits.requests.get(tier):
            charges["requests"] = Charge(_key(user, "requests"), rate.limit, rate.seconds, amount=1, need=1)
        if rate := self._limits.tokens.get(tier):
            if tokens > rate.limit:
                LIMITS_DECISIONS.labels(tier, "too_large").inc()
                raise TooManyTokensError(f"{tokens} of {rate.limit} tokens")
            charges["tokens"] = Charge(
                _key(user, "tokens"), rate.limit, rate.seconds, amount=tokens, need=tokens
            )
        if (budget := self._limits.budgets.of(caller)) is not None:
            # A budget stops the first request after it is used up: refusing whoever might pass it would leave a rest.
            charges["budget"] = Charge(
                _key(user, "budget"),
                limit=round(budget * MICRODOLLARS),
                seconds=DAY,
                amount=round(cost * MICRODOLLARS),
                need=1,
                base=None,
            )
        return charges

    async def _reserve(
        self, caller: Caller, charges: Mapping[str, Charge], deadline: float
    ) -> tuple[Sequence[str], Reservation]:
        """What became of the charges, and which those were: a budget that nobody knows in time is left out."""
        charges = dict(charges)
        spent = None
        if asked := "budget" in charges and self._spending.is_uncounted(caller.user):
            # Half of the time is for the counters: they must not look slow because the database is.
            spent = await self._spending.today(caller.user, deadline - self._timeout / 2)
        if spent is not None:
            charges["budget"] = charges["budget"]._replace(base=spent)
        reservation = await self._counters.reserve(list(charges.values()), deadline)
        if reservation.status is not Status.UNKNOWN:
            return list(charges), reservation
        budget = charges.pop("budget")
        if not asked and (spent := await self._spending.today(caller.user, deadline)) is not None:
            charges["budget"] = budget._replace(base=spent)
        if not charges:
            return [], Reservation(Status.ADMITTED, 0.0, [])
        return list(charges), await self._counters.reserve(list(charges.values()), deadline)


def _key(user: str, what: str) -> str:
    # In braces, for Redis keeps what is in the same braces on the same node of a cluster.
    return f"limits:{{{user}}}:{what}"


def _headers(charges: Mapping[str, Charge], names: Sequence[str], reservation: Reservation) -> dict[str, str]:
    """What is left of requests and tokens. Reset is in seconds, as Retry-After, so that no clocks are compared."""
    headers = {}
    for name, count in zip(names, reservation.counts, strict=True):
        if name == "budget":
            continue
        charge, suffix = charges[name], "-Tokens" if name == "tokens" else ""
        headers[f"X-RateLimit-Limit{suffix}"] = str(charge.limit)
        headers[f"X-RateLimit-Remaining{suffix}"] = str(max(0, charge.limit - count.used))
        headers[f"X-RateLimit-Reset{suffix}"] = str(
            max(1, math.ceil(count.start + charge.seconds - reservation.now))
        )
    return headers


def _refusal(
    charges: Mapping[str, Charge], names: Sequence[str], reservation: Reservation, headers: Mapping[str, str]
) -> tuple[str, LimitExceededError]:
    """The limit that keeps the caller longest, and the error for it."""
    waits = {
        name: count.start + charges[name].seconds - reservation.now
        for name, count in zip(names, reservation.counts, strict=True)
        if count.used + charges[name].need > charges[name].limit
    }
    name = max(waits, key=waits.__getitem__)
    error = BudgetExceededError if name == "budget" else RateLimitExceededError
    return name, error(f"limit of {name} reached", retry_after=waits[name], headers=headers)
