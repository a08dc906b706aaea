"""The failures that a caller is told about: one type for each.

`status`, `slug` and `message` make the answer. The text of the exception itself is for the logs alone: it may name
upstreams, and never leaves the service.
"""

from collections.abc import Mapping
from typing import ClassVar


class ServiceError(Exception):
    """A failure with an answer. `retry_after`, in seconds, becomes the header of that name.

    `code` and `param` are for the answers in OpenAI's form: what the failure is called there, by default its slug, and
    the field of the request that is at fault.
    """

    status: ClassVar[int] = 500
    slug: ClassVar[str] = "internal_error"
    message: str = "Something went wrong on our side. Quote the incident_id when you report it."

    # What a caller is told where nobody knows better, in seconds.
    default_retry_after: ClassVar[float | None] = None

    def __init__(
        self,
        detail: str = "",
        *,
        retry_after: float | None = None,
        code: str | None = None,
        param: str | None = None,
    ) -> None:
        super().__init__(detail or self.message)
        self.retry_after = retry_after
        self.code = code or self.slug
        self.param = param


class InvalidRequestError(ServiceError):
    """`problem` is one sentence for the caller, which never quotes what was sent."""

    status = 400
    slug = "invalid_request"

    def __init__(self, problem: str, *, param: str | None = None) -> None:
        super().__init__(problem, param=param)
        self.message = problem


class NotAuthenticatedError(ServiceError):
    status = 401
    slug = "not_authenticated"
    message = "A valid token or API key is required."


class BadCredentialsError(ServiceError):
    status = 401
    slug = "bad_credentials"
    message = "The username or the password is wrong."


class PermissionDeniedError(ServiceError):
    status = 403
    slug = "permission_denied"
    message = "Your account does not have the permission that this endpoint needs."


class ApiKeyNotFoundError(ServiceError):
    status = 404
    slug = "api_key_not_found"
    message = "You have no API key with this id."


class UserNotFoundError(ServiceError):
    status = 404
    slug = "user_not_found"
    message = "There is no such user that can be removed."


class UserExistsError(ServiceError):
    status = 409
    slug = "user_exists"
    message = "There is a user of this name."


class TooManyKeysError(ServiceError):
    status = 409
    slug = "too_many_api_keys"
    message = "You have as many API keys as you may. Revoke one first."


class IdentityUnavailableError(ServiceError):
    """Nobody can say now whether a key is good: a 401 would have the caller throw it away."""

    status = 503
    slug = "identity_unavailable"
    message = "Users and API keys cannot be looked up or changed at the moment. Try again."
    default_retry_after = 2.0


class UsageUnavailableError(ServiceError):
    status = 503
    slug = "usage_unavailable"
    message = "Usage cannot be read at the moment. Nothing of it is lost. Try again."
    default_retry_after = 2.0


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


class ContentRefusedError(ServiceError):
    status = 400
    slug = "content_refused"
    message = (
        "The request holds what must not go to a model, such as keys, passwords or personal data. Remove it."
    )


class LimitExceededError(ServiceError):
    """A limit of the caller's own; `headers` tell what is left of each."""

    status = 429

    def __init__(self, detail: str, *, retry_after: float, headers: Mapping[str, str]) -> None:
        super().__init__(detail, retry_after=retry_after)
        self.headers = headers


class RateLimitExceededError(LimitExceededError):
    slug = "rate_limit_exceeded"
    message = "You have used up your requests or tokens for now. Try again after the time in Retry-After."


class BudgetExceededError(LimitExceededError):
    slug = "budget_exceeded"
    message = "You have used up your budget for today. It begins anew at midnight, UTC."


class TooManyTokensError(ServiceError):
    """No window has room for this request, so that waiting is of no use."""

    status = 413
    slug = "too_many_tokens"
    message = "The prompt and max_tokens together exceed your limit of tokens. Shorten the prompt or lower max_tokens."


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
