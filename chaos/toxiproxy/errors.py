"""How a control call can fail."""


class ToxiproxyError(Exception):
    """The server refused a call, or gave no answer; `status` is that of its HTTP answer, if there was one."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message if status is None else f"{message} ({status})")
        self.message = message
        self.status = status


class NotFoundError(ToxiproxyError):
    """There is no such proxy or toxic."""


class ConflictError(ToxiproxyError):
    """The name is taken. An address that is taken is a plain ToxiproxyError with status 500."""


class UnreachableError(ToxiproxyError):
    """No connection to the server, or it was lost before the answer."""


class ControlTimeoutError(UnreachableError):
    """The server did not answer within the time limit; whether it did as told is not known."""
