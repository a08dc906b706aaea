"""The number of requests that each client may send."""


class RequestLimit:
    """Lets a client pass so many times in a window, and forgets it after a window without a request."""

    def check(self, client: str) -> None:
        """Count a request. Raise an exception with the seconds to wait if it is one too many."""
        raise NotImplementedError
