"""Drives the service's circuit breaker: opens it, waits for its cool-down, and asks on until it has closed."""

import asyncio
import itertools
from collections.abc import Awaitable, Iterator, Sequence

from chaos.history import Answer as ServiceAnswer
from chaos.history import Failure
from chaos.llm import After, Answer
from exercises.exam.ex3_timeouts_limits_breaker.outage import (
    FAILED_REQUESTS,
    REJECTED_REQUESTS,
    Outage,
    Scripted,
    most_failed_requests,
)
from exercises.exam.promises import PATIENCE_SECONDS, TOLERANCE_SECONDS
from lab.lab import Lab
from lab.retry_after import seconds_of

LATER_FAILED_REQUESTS = 15
"""Fewer might not weigh enough in a window that good answers are in, too."""
FAILED_ROUNDS = 3
REJECTED_AT_ONCE = 5
QUIET_REQUESTS = 12
"""So many requests in a row for each of several workers meet every one of them."""
REQUESTS_OF_A_WORKER = 15
"""So many requests for each of several workers give every one of them enough."""
COOL_DOWN_MARGIN = 0.5
COOL_DOWN_LIMIT = 65.0
POLL_SECONDS = 5.0
SERVED_IN_A_ROW = 3
SERVED_AT_ONCE = 6
SERVING_ROUNDS = 6
"""So often, with all that was served in between, a breaker may still turn callers away; one that has closed does not."""
OVERLAP_SECONDS = 0.5
"""How long the model takes over each of the requests that have to be under way at once."""


class Circuit:
    """The service's circuit breaker as its callers see it. `cool_down` is what Retry-After said last, in seconds."""

    def __init__(self, lab: Lab, workers: int, tokens: Sequence[str]) -> None:
        self._lab = lab
        self._workers = workers
        self._tokens = itertools.cycle(tokens)
        self._healed = 0.0
        self._ill = False
        self.kind = ""
        self.outage: Outage = Scripted(Answer())
        self.cool_down: float | None = None

    @classmethod
    async def of(cls, lab: Lab, *others: str) -> "Circuit":
        """Return the circuit breaker of a service, which is open for all callers: `others` have these tokens."""
        return cls(lab, await lab.count_workers(), [*others, lab.token])

    async def open(self, outages: Iterator[tuple[str, Outage]], *, requests: int) -> bool:
        """Have one outage after the other until one has opened the breaker; whether that happened.

        The model fails on, if it sees whom it fails; if not, it is there again, to show who would be let through.
        """
        for self.kind, self.outage in outages:
            self._lab.phase("fault")
            await self._begin()
            pending = await self._fail(requests)
            if not self.outage.shows_calls:
                await self._end()
            opened = await self.reject()
            await asyncio.gather(*pending)
            if opened:
                return True
            await self._end()
        return False

    async def outlast(
        self, outages: Iterator[tuple[str, Outage]], failing: Sequence[Awaitable[object]]
    ) -> bool:
        """Wait until requests have failed that meet an outage by their scripts, and ask on; whether the breaker is open."""
        self.kind, self.outage = next(outages)
        await asyncio.gather(*failing)
        return await self.reject()

    async def reject(self) -> bool:
        """Ask until it is plain that the breaker is open, or that it is not; whether it is."""
        if self._workers > 1 and isinstance(self.outage, Scripted):
            answers, opened = await self._reject_in_each_worker()
        else:
            answers, opened = await self._reject_in_a_row()
        if opened:
            asked = (self._ask("rejected at once") for _ in range(REJECTED_AT_ONCE))
            answers += await asyncio.gather(*asked)
        self.cool_down = _longest(answers)
        return opened

    async def fail_on(self, callers: int) -> None:
        """Have so many callers for each worker meet the outage again: the probes fail, and the breaker opens once more.

        The model is slow to fail. So all callers are there before a breaker that has closed by mistake has met failures
        enough to open again.
        """
        await self._begin()
        if isinstance(self.outage, Scripted):
            self._lab.llm.default(After(OVERLAP_SECONDS, self.outage.step))
        await self._ask_at_once("ill", callers * self._workers)
        if isinstance(self.outage, Scripted):
            self._lab.llm.default(self.outage.step)
        last = await self._ask("ill")  # those who came during the probe were not told how long it is open now
        await self._end()
        self.cool_down = _longest([last]) or self.cool_down

    async def heal(self) -> None:
        """End the outage; the service has its time to recover from now on."""
        await self._end()
        self._lab.phase("recovery")
        self._healed = self._lab.recorder.now()

    async def cool(self) -> None:
        """Wait until the breaker may probe, as Retry-After said."""
        await asyncio.sleep(min(self.cool_down or POLL_SECONDS, COOL_DOWN_LIMIT) + COOL_DOWN_MARGIN)

    async def recover_under(self, callers: int, token: str) -> None:
        """Have many callers at once meet the half-open breaker, until the model has served one of them."""
        while not self.is_late:
            await self.cool()
            answers = await self._ask_at_once("caller", callers, token)
            if any(_served(answer) for answer in answers):
                return
            # Some do not say how long: who is in the half-open state for good would be asked at every second.
            self.cool_down = max(_longest(answers) or 0.0, POLL_SECONDS)

    async def settle(self) -> bool:
        """Ask until the service serves many at once, and wait for a breaker that opened once more; whether it does."""
        self._lab.llm.default(Answer())
        for _ in range(SERVING_ROUNDS):
            if not await self._serve_in_a_row():
                return False
            self._lab.llm.default(Answer(delay=OVERLAP_SECONDS))
            answers = await self._ask_at_once("recovered at once", SERVED_AT_ONCE)
            self._lab.llm.default(Answer())
            if all(_served(answer) for answer in answers):
                return True
        return True

    @property
    def is_late(self) -> bool:
        """Whether the service has had its time to recover, what it took over its answers included."""
        return self._lab.recorder.now() - self._healed > COOL_DOWN_LIMIT + TOLERANCE_SECONDS

    async def _begin(self) -> None:
        if not self._ill:
            await self.outage.begin(self._lab)
        self._ill = True

    async def _end(self) -> None:
        if self._ill:
            await self.outage.end(self._lab)
        self._ill = False

    async def _serve_in_a_row(self) -> bool:
        served = 0
        while served < SERVED_IN_A_ROW:
            answer = await self._ask("recovered")
            served = served + 1 if _served(answer) else 0
            if served:
                continue
            if self.is_late:
                return False
            self.cool_down = _longest([answer])
            await self.cool()
        return True

    async def _fail(self, requests: int) -> set[asyncio.Task[ServiceAnswer | Failure]]:
        """Fail so many requests at once until enough of them have failed; return those that are still under way.

        A breaker that counts requests is open by then, and its cool-down may be over before the last retry is.
        """
        if self._workers > 1 and not isinstance(self.outage, Scripted):
            requests = REQUESTS_OF_A_WORKER * self._workers
        known = len(self._lab.llm.calls())
        pending: set[asyncio.Task[ServiceAnswer | Failure]] = set()
        for _ in range(FAILED_ROUNDS if self.outage.shows_calls else 1):
            keys = {
                asyncio.create_task(self._ask("failing", key=key)): key for key in self._new_keys(requests)
            }
            pending = set(keys)
            failed = 0
            while pending:
                done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
                reached = {call.key for call in self._lab.llm.calls()[known:]}
                failed += sum(keys[task] in reached for task in done)
                if failed >= FAILED_REQUESTS and self._workers == 1:
                    return pending
            if failed >= FAILED_REQUESTS:
                break
        return pending

    def _new_keys(self, count: int) -> list[str]:
        return [self._lab.key() for _ in range(count)]

    async def _reject_in_a_row(self) -> tuple[list[ServiceAnswer | Failure], bool]:
        """Ask one after the other, with answers there for what gets through: a breaker that is open lets none.

        Of several workers only some may have met enough of an outage that cannot be counted.
        """
        answers: list[ServiceAnswer | Failure] = []
        for _ in range(REJECTED_REQUESTS if self._workers == 1 else QUIET_REQUESTS * self._workers):
            key = self._lab.key()
            self._lab.llm.script(key, Answer())
            answers.append(await self._ask("rejected", key=key, token=next(self._tokens)))
            if self._workers == 1 and (not _rejected(answers[-1]) or self._lab.llm.calls(key)):
                return answers, False
        return answers, any(_rejected(answer) for answer in answers)

    async def _reject_in_each_worker(self) -> tuple[list[ServiceAnswer | Failure], bool]:
        """Fail requests until all workers reject them, for each may have a breaker of its own."""
        known = {call.key for call in self._lab.llm.calls()}
        while True:
            answers: list[ServiceAnswer | Failure] = []
            for _ in range(QUIET_REQUESTS * self._workers):
                key = self._lab.key()
                answers.append(await self._ask("rejected", key=key))
                if self._lab.llm.calls(key):
                    break
            else:
                return answers, _rejected(answers[-1])
            reached = {call.key for call in self._lab.llm.calls()} - known
            if len(reached) > most_failed_requests(self._workers):
                return answers, False
            await self._ask_at_once("failing", FAILED_REQUESTS)

    async def _ask(self, label: str, *, token: str = "", key: str = "") -> ServiceAnswer | Failure:
        return await self._lab.generate(
            key or None, label=labelled(label, self.kind), token=token, timeout=PATIENCE_SECONDS
        )

    async def _ask_at_once(self, label: str, count: int, token: str = "") -> list[ServiceAnswer | Failure]:
        return await asyncio.gather(*(self._ask(label, token=token) for _ in range(count)))


def labelled(label: str, kind: str) -> str:
    """Return the label of a request that belongs to one outage."""
    return f"{label} ({kind})"


def _longest(answers: Sequence[ServiceAnswer | Failure]) -> float | None:
    named = [
        seconds
        for answer in answers
        if isinstance(answer, ServiceAnswer) and (seconds := seconds_of(answer)) is not None
    ]
    return max(named, default=None)


def _rejected(answer: ServiceAnswer | Failure) -> bool:
    return isinstance(answer, ServiceAnswer) and answer.status == 503


def _served(answer: ServiceAnswer | Failure) -> bool:
    return isinstance(answer, ServiceAnswer) and answer.status == 200
