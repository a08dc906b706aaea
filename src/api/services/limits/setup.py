"""The limiter that settings ask for."""

from api.config.settings import Settings
from api.services.limits.counters import MemoryCounters
from api.services.limits.limiter import Counters, Limiter, Limits
from api.services.limits.local_counters import LocalCounters
from api.services.limits.spending import Spending, SpentToday

PIPELINE_SECONDS = 1.0
"""After which a connection to Redis is given up, though no request waits that long."""


def make_limiter(settings: Settings, spent_today: SpentToday | None = None) -> Limiter:
    """A limiter, not connected yet. Without `spent_today`, a budget whose counter was lost begins anew."""
    limits = Limits(
        requests=settings.rate_limits, tokens=settings.token_limits, budgets=settings.daily_budgets
    )
    return Limiter(limits, _make_counters(settings), Spending(spent_today), timeout=settings.redis_timeout)


def _make_counters(settings: Settings) -> Counters:
    if settings.redis_url is None:
        return LocalCounters(MemoryCounters())
    # The client takes a fifth of a second to import, which a service without Redis need not spend.
    from api.services.limits.redis_counters import RedisCounters  # noqa: PLC0415
    from api.services.limits.shared_counters import SharedCounters  # noqa: PLC0415

    redis = RedisCounters(
        settings.redis_url.get_secret_value(), timeout=max(PIPELINE_SECONDS, settings.redis_timeout)
    )
    return SharedCounters(redis, MemoryCounters())
