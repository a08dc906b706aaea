"""Failures of a provider. None of them carries the provider's own words."""

from dataclasses import dataclass
from typing import ClassVar


@dataclass
class ProviderError(Exception):
    provider: str
    retry_after: float | None = None

    status: ClassVar[int] = 502
    code: ClassVar[str] = "provider_failed"
    passing: ClassVar[bool] = False
    says: ClassVar[str] = "failed"

    def __str__(self) -> str:
        return f"{self.provider} {self.says}"


class Failing(ProviderError):
    passing = True


class Unreachable(ProviderError):
    status, code, passing, says = 503, "provider_unreachable", True, "cannot be reached"


class RateLimited(ProviderError):
    status, code, passing, says = 429, "provider_rate_limited", True, "is rate limited"


class TimedOut(ProviderError):
    status, code, passing, says = 504, "provider_timeout", True, "did not answer in time"


class Refused(ProviderError):
    status, code, says = 400, "refused_by_provider", "refused the request"


class NoAccess(ProviderError):
    status, code, says = 500, "no_access_to_provider", "does not accept this service"


class Nonsense(ProviderError):
    says = "sent something that is no answer"


def error_for(provider: str, status: int, retry_after: str | None) -> ProviderError:
    match status:
        case 429:
            return RateLimited(provider, seconds(retry_after))
        case 400 | 413 | 422:
            return Refused(provider)
        case _ if 400 <= status < 500:
            return NoAccess(provider)
    return Failing(provider, seconds(retry_after))


def seconds(header: str | None) -> float | None:
    try:
        return max(0.0, float(header or ""))
    except ValueError:
        return None
