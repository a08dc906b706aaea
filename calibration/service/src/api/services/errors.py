"""The failures that a caller is told about: one type for each.

`status`, `slug` and `message` make the answer. The text of the exception itself is for the logs alone: it may name
upstreams, and never leaves the service.
"""

from typing import ClassVar


class ServiceError(Exception):
    """A failure with an answer. `retry_after`, in seconds, becomes the header of that name."""

    status: ClassVar[int] = 500
    slug: ClassVar[str] = "internal_error"
    message: ClassVar[str] = "Something went wrong on our side. Quote the incident_id when you report it."

    # What a caller is told where nobody knows better, in seconds.
    default_retry_after: ClassVar[float | None] = None

    def __init__(self, detail: str = "", *, retry_after: float | None = None) -> None:
        super().__init__(detail or self.message)
        self.retry_after = retry_after


class NotAuthenticatedError(ServiceError):
    status = 401
    slug = "not_authenticated"
    message = "A valid bearer token is required."


class BadCredentialsError(ServiceError):
    status = 401
    slug = "bad_credentials"
    message = "The username or the password is wrong."


class ClientDisconnectedError(ServiceError):
    """The caller went away before the answer was there (nginx's 499); nobody reads this answer."""

    status = 499
    slug = "client_closed_request"
    message = "The client closed the connection."


class BodyTimeoutError(ServiceError):
    status = 408
    slug = "request_timeout"
    message = "The request body did not arrive in time."


class BodyTooLargeError(ServiceError):
    status = 413
    slug = "body_too_large"
    message = "The request body is larger than this service accepts."


class ShuttingDownError(ServiceError):
    status = 503
    slug = "shutting_down"
    message = "This instance is shutting down. Try again."
    default_retry_after = 1.0


class CacheUnavailableError(ServiceError):
    status = 503
    slug = "cache_unavailable"
    message = "The cache cannot be reached."


class LLMError(ServiceError):
    """A failure of a call to the model.

    `retryable`: the same call may succeed a moment later. `outage`: the upstream is ill, rather than the request bad.
    """

    retryable: ClassVar[bool] = False
    outage: ClassVar[bool] = False


class LLMBadRequestError(LLMError):
    status = 400
    slug = "bad_request"
    message = "The model refused the request as invalid."


class LLMNotFoundError(LLMError):
    status = 404
    slug = "model_not_found"
    message = "The model is not available."


class LLMUnprocessableError(LLMError):
    status = 422
    slug = "unprocessable_request"
    message = "The model could not process the request."


class LLMRejectedError(LLMError):
    """A refusal that the caller can do nothing about: our credentials, our account, our way of calling."""

    status = 502
    slug = "upstream_rejected"
    message = "The model's provider refused this service."


class LLMRateLimitedError(LLMError):
    """A rate limit is no outage: the upstream answers, and says when to come back."""

    status = 429
    slug = "rate_limited"
    message = "The model is rate limited. Try again later."
    default_retry_after = 5.0
    retryable = True


class LLMQuotaExhaustedError(LLMError):
    status = 429
    slug = "quota_exhausted"
    message = "The quota for this model is used up."


class LLMServerError(LLMError):
    status = 502
    slug = "upstream_error"
    message = "The model's provider failed."
    retryable = True
    outage = True


class LLMMalformedError(LLMError):
    """An answer that is none. The model has already run, so asking again would only be paid for again."""

    status = 502
    slug = "upstream_malformed"
    message = "The model's provider sent an answer that cannot be read."
    outage = True


class LLMUnavailableError(LLMError):
    status = 503
    slug = "upstream_unavailable"
    message = "The model's provider cannot be reached."
    retryable = True
    outage = True


class LLMTimeoutError(LLMError):
    status = 504
    slug = "upstream_timeout"
    message = "The model did not answer in time."
    retryable = True
    outage = True


class LLMCircuitOpenError(LLMError):
    status = 503
    slug = "circuit_open"
    message = "The model keeps failing and is given time to recover. Try again later."
