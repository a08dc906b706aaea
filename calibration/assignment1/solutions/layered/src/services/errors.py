"""What can go wrong with a provider, by what it means for the caller.

Messages are our own: a provider's text may quote the key that it was given.
"""


class LLMError(Exception):
    """Something went wrong with the provider."""

    message = "The provider failed."
    retryable = False

    def __init__(self, retry_after: float | None = None) -> None:
        super().__init__(self.message)
        self.retry_after = retry_after


class RateLimited(LLMError):
    message = "The provider's rate limit is reached. Try again later."
    retryable = True


class ProviderFailed(LLMError):
    message = "The provider answered with an error."
    retryable = True


class ProviderUnreachable(LLMError):
    message = "The provider cannot be reached."
    retryable = True


class ProviderTimeout(LLMError):
    message = "The provider did not answer in time."


class RequestRefused(LLMError):
    message = "The provider refused the request as invalid."


class Misconfigured(LLMError):
    """The provider refuses us, not the caller: 401, 403, 404."""

    message = "The service cannot use its provider."


class BadAnswer(LLMError):
    message = "The provider's answer could not be understood."
