"""What can go wrong, by who has to act on it. `src/api/errors.py` has the HTTP statuses."""


class ServiceError(Exception):
    """A failure that the caller is told about. `retry_after` is in seconds, and None if nobody knows."""

    def __init__(self, retry_after: float | None = None) -> None:
        super().__init__()
        self.retry_after = retry_after


class RequestLimitError(ServiceError):
    """The caller has sent too many requests."""


class BudgetSpentError(ServiceError):
    """The money for today is spent."""


class CallerLeftError(ServiceError):
    """The caller has closed the connection."""


class ProviderError(ServiceError):
    """The provider gave no completion."""


class RateLimitedError(ProviderError):
    """The provider limits the rate of requests."""


class ProviderFailedError(ProviderError):
    """The provider answered with an error of its own, or with something that is no completion."""


class ProviderUnreachableError(ProviderError):
    """The connection to the provider was refused or broke."""


class ProviderTimeoutError(ProviderError):
    """The provider gave no answer in time."""


class RequestRefusedError(ProviderError):
    """The provider refused the request for what is in it."""


class AccessRefusedError(ProviderError):
    """The provider refused this service: a wrong key, no permission, an unknown model."""


_LONGEST_RETRY_AFTER = 86_400.0
"""Seconds. What a provider asks for beyond that is no advice to pass on."""

TRANSIENT = (RateLimitedError, ProviderFailedError, ProviderUnreachableError)
"""Failures that may pass, so that another attempt makes sense."""


def from_status(status: int, retry_after: str | None) -> ProviderError:
    """Return the error for a status of the provider's, and for its Retry-After header."""
    if status == 429:
        return RateLimitedError(_seconds(retry_after))
    if status in {400, 413, 422}:
        return RequestRefusedError()
    if status == 408:
        return ProviderTimeoutError()
    if 400 <= status < 500:
        return AccessRefusedError()
    return ProviderFailedError(_seconds(retry_after))


def _seconds(retry_after: str | None) -> float | None:
    """Return the seconds of a Retry-After header, or None if it has a date or makes no sense."""
    try:
        seconds = float(retry_after or "")
    except ValueError:
        return None
    return seconds if 0 <= seconds <= _LONGEST_RETRY_AFTER else None
