"""The provider: calls, retries, errors told apart, time limits, cost, and a fallback."""


class LLMService:
    """Completes conversations.

    Decide who retries: the SDK does too, unless it is told not to. Put providers behind one interface, so that another
    one can answer and tests can bring their own.
    """

    async def complete(self) -> None:
        """Return the answer to a conversation, with the model that gave it, its usage and its cost."""
        raise NotImplementedError
