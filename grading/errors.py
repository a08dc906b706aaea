"""Whose fault it is that a submission was not judged, or not judged well.

The three are kept apart on every report (and in the exit code of the command line): what the
caller wrote, what the submission holds, and what the machine could not do. Each message is one
sentence that says what to do about it.
"""

import re

from chaos.plain_text import plain

_LINES = 20
_WIDTH = 300
_CREDENTIALS = re.compile(r"(?<=://)[^@/\s]+(?=@)")


def without_credentials(text: str) -> str:
    """`text` with the user and password of every URL in it masked."""
    return _CREDENTIALS.sub("***", text)


def last_lines(output: str) -> str:
    """The end of a program's output, fit to be shown: at most 20 lines of 300 characters."""
    text = plain(without_credentials(output).replace("\r", "\n"))
    lines = [line.rstrip() for line in text.split("\n") if line.strip()]
    return "\n".join(line if len(line) <= _WIDTH else line[: _WIDTH - 1] + "…" for line in lines[-_LINES:])


class GradingError(Exception):
    """A grade that could not be found; `detail` holds the last lines of output behind it."""

    def __init__(self, message: str, *, detail: str = "") -> None:
        self.message = plain(without_credentials(message))
        self.detail = last_lines(detail)
        super().__init__(self.message)

    def __reduce__(self) -> tuple[object, ...]:
        return _restored, (type(self), self.message, self.detail)


def _restored(kind: type[GradingError], message: str, detail: str) -> GradingError:
    return kind(message, detail=detail)


class UsageError(GradingError):
    """The caller's fault: a path that is no repository, a commit that is not there (exit code 2)."""


class SubmissionError(GradingError):
    """The submission's fault: it cannot be installed or started, so every criterion fails."""


class NothingToStartError(SubmissionError):
    """The submission is no service at all, mostly the wrong folder: whoever named it is told so (exit code 2)."""


class MachineError(GradingError):
    """The machine's fault, such as the network or the disk: not judged (exit code 3)."""
