import asyncio
import random
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from loguru import logger

P = ParamSpec("P")
T = TypeVar("T")


def retrying(
    is_transient: Callable[[Exception], bool], pauses: tuple[float, ...] = (1, 2, 4)
) -> Callable[[Callable[P, Awaitable[T]]], Callable[P, Awaitable[T]]]:
    def decorate(function: Callable[P, Awaitable[T]]) -> Callable[P, Awaitable[T]]:
        @wraps(function)
        async def retried(*args: P.args, **kwargs: P.kwargs) -> T:
            for pause in pauses:
                try:
                    return await function(*args, **kwargs)
                except Exception as e:
                    if not is_transient(e):
                        raise
                    seconds = pause * random.uniform(0.5, 1.5)
                    logger.warning("{}, again in {:.2f} s", type(e).__name__, seconds)
                    await asyncio.sleep(seconds)
            return await function(*args, **kwargs)

        return retried

    return decorate
