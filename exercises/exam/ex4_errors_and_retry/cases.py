"""Runs many requests that each meet a script of their own, at once, whatever circuit breaker the service has."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

from chaos.history import Answer, Failure
from chaos.llm import Answer as ModelAnswer
from chaos.llm import Step
from exercises.exam.ex4_errors_and_retry.callers import Callers
from exercises.exam.ex4_errors_and_retry.rejections import is_rejection
from exercises.exam.ex4_errors_and_retry.spacing import Spacing
from lab.lab import Lab
from lab.retry_after import seconds_of

AT_ONCE = 16
"""Requests under way at a time, as far as the service lets so many reach the model."""
HELD_SECONDS = 0.5
"""How long the model takes over requests that are to be under way together."""
AT_ONCE_AGAIN = 4
RELIEF_AGAIN = 4
"""How many failures wait for each other the second time, and how often healthy requests are answered after each."""
RELIEF_PATIENCE = 5.0
REPEATS = 2
LATEST_REPEAT = 120.0
"""When in the experiment, in seconds, no more is asked again."""
COOL_DOWN_LIMIT = 65.0
COOL_DOWN_MARGIN = 0.5


@dataclass(frozen=True, slots=True)
class Case:
    """A request whose calls meet `steps` one after the other, the last one for good.

    A case that `outlasts` breakers says something although one rejects it in the end. What is no outage to a breaker
    need not come `apart` from other failures.
    """

    label: str
    steps: Sequence[Step]
    outlasts: bool = False
    apart: bool = True

    def is_spoiled(self, end: Answer | Failure, *, opened: bool) -> bool:
        """Whether a breaker has spoiled this case: it rejects, or has `opened` before the answer could come."""
        if self.outlasts:
            return False
        hoped = isinstance(self.steps[-1], ModelAnswer)
        return is_rejection(end) or (opened and hoped and not is_served(end))


async def run(lab: Lab, callers: Callers, cases: Sequence[Case]) -> None:
    """Run cases at once, under the same labels once more those that a breaker has spoiled, and what is left one by one.

    A breaker that counts the share of failures has opened because every other call failed. So the second time failures
    are rare. The failures that wait for their turn at the model leave room for the healthy requests between them, also
    where the service lets few requests reach the model at a time.
    """
    workers = await lab.count_workers()
    room = max(1, await _count_at_once(lab, callers, AT_ONCE + workers) - workers)
    spoiled = await _together(lab, callers, cases, at_once=room, relief=[workers])
    if spoiled and await recover(callers):
        at_once = min(room, AT_ONCE_AGAIN)
        spoiled = await _together(lab, callers, spoiled, at_once=at_once, relief=[workers] * RELIEF_AGAIN)
    if not spoiled or not await recover(callers):
        return
    for case in in_turn(spoiled):
        if not await _repeat(lab, callers, case):
            return


def in_turn(cases: Sequence[Case]) -> list[Case]:
    """Return cases in another order: of each kind one, then another of each. There may not be time for all."""
    kinds: dict[str, list[Case]] = {}
    for case in cases:
        kinds.setdefault(case.label.partition(":")[0], []).append(case)
    return [case for row in zip_longest(*kinds.values()) for case in row if case]


async def _together(
    lab: Lab, callers: Callers, cases: Sequence[Case], *, at_once: int, relief: Sequence[int]
) -> list[Case]:
    """Run cases, so many at a time, and return those that a breaker has spoiled.

    After each failure healthy requests are answered, as many together as each number in `relief` says: one for every
    process that may have a breaker of its own.
    """
    limit = asyncio.Semaphore(at_once)
    opened = False

    async def relieve(model: str) -> None:
        nonlocal opened
        for count in relief:
            ends = await asyncio.gather(*(healthy(callers, model=model) for _ in range(count)))
            opened = opened or any(map(is_rejection, ends))

    async with Spacing(relieve) as spacing:

        async def ask(case: Case) -> Answer | Failure:
            steps = [step if isinstance(step, ModelAnswer) else spacing.space(step) for step in case.steps]
            async with limit:
                return await _ask(lab, callers, case.label, steps)

        ends = await asyncio.gather(*map(ask, cases))
    return [case for case, end in zip(cases, ends, strict=True) if case.is_spoiled(end, opened=opened)]


async def healthy(callers: Callers, *, model: str = "") -> Answer | Failure:
    """Have a request answered."""
    return await callers.ask(label="healthy", model=model, timeout=RELIEF_PATIENCE)


async def recover(callers: Callers) -> bool:
    """Have a request answered, after a breaker's cool-down if need be: no failure of before counts any more.

    Return False if the breaker has not closed by then.
    """
    end = await healthy(callers)
    return not is_rejection(end) or await _outlast(callers, end)


def is_served(end: Answer | Failure) -> bool:
    return isinstance(end, Answer) and end.status == 200


async def _count_at_once(lab: Lab, callers: Callers, count: int) -> int:
    """Return how many of `count` requests at once reach the model before the first is answered: a bulkhead holds some."""
    keys = [lab.key() for _ in range(count)]
    for key in keys:
        lab.llm.script(key, ModelAnswer(delay=HELD_SECONDS))
    await asyncio.gather(*(callers.ask(key, label="held") for key in keys))
    calls = [call for key in keys for call in lab.history.calls(key=key)]
    first = min((call.reply.t for call in calls if call.reply), default=0.0)
    return sum(call.call.t < first for call in calls)


async def _ask(lab: Lab, callers: Callers, label: str, steps: Sequence[Step]) -> Answer | Failure:
    key = lab.key()
    lab.llm.script(key, *steps)
    return await callers.ask(key, label=label)


async def _repeat(lab: Lab, callers: Callers, case: Case) -> bool:
    """Ask again for a spoiled case, after the breaker's cool-down if need be; whether it was let through."""
    for _ in range(1 + REPEATS):
        end = await _ask(lab, callers, case.label, case.steps)
        probe = await healthy(callers)
        if not case.is_spoiled(end, opened=is_rejection(probe)):
            return True
        if lab.recorder.now() > LATEST_REPEAT:
            break
        await _outlast(callers, probe if is_rejection(probe) else end)
    return False


async def _outlast(callers: Callers, end: Answer | Failure) -> bool:
    """Wait as long as rejections say, until a healthy request is served; whether one was."""
    for _ in range(REPEATS):
        wait = (seconds_of(end) or 0.0) if is_rejection(end) else 0.0
        await asyncio.sleep(min(wait, COOL_DOWN_LIMIT) + COOL_DOWN_MARGIN)
        end = await healthy(callers)
        if is_served(end):
            return True
    return False
