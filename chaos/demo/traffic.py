"""A steady stream of requests, so that an audience has something to see."""

import asyncio
import statistics
from collections import Counter
from collections.abc import Callable

from chaos.demo.api import Answer, Api

NO_ANSWER = "---"


async def traffic(api: Api, per_second: float, seconds: float, see: Callable[[Answer], None]) -> None:
    """Ask the model at a steady rate, however long it takes to answer, and wait for the last answers.

    Each answer is shown to `see` as it comes.
    """

    async def ask() -> None:
        see(await api.ask())

    loop = asyncio.get_running_loop()
    began = loop.time()
    async with asyncio.TaskGroup() as group:
        for number in range(max(1, round(per_second * seconds))):
            await asyncio.sleep(began + number / per_second - loop.time())
            group.create_task(ask())


def line(answer: Answer) -> str:
    """An answer as a line."""
    status = NO_ANSWER if answer.status is None else str(answer.status)
    return f"{status}  {answer.seconds:6.2f} s  {answer.note}".rstrip()


def summary(answers: list[Answer]) -> str:
    """All answers in a line."""
    if not answers:
        return "No answers."
    counts = Counter(str(answer.status or NO_ANSWER) for answer in answers)
    seconds = [answer.seconds for answer in answers]
    listed = ", ".join(f"{count} x {status}" for status, count in sorted(counts.items()))
    half = statistics.median(seconds)
    total = "1 answer" if len(answers) == 1 else f"{len(answers)} answers"
    return f"{total}: {listed}; half of them within {half:.2f} s, all within {max(seconds):.2f} s"
