import math
import time
from collections import defaultdict, deque

from src.config.settings import settings

hits: dict[str, deque[float]] = defaultdict(deque)


def check(address: str) -> int:
    """0 if the request may pass, else the seconds to wait."""
    now = time.monotonic()
    mine = hits[address]
    while mine and mine[0] <= now - settings.RATE_LIMIT_WINDOW:
        mine.popleft()
    if len(mine) < settings.RATE_LIMIT_REQUESTS:
        mine.append(now)
        return 0
    return math.ceil(mine[0] + settings.RATE_LIMIT_WINDOW - now) or 1
