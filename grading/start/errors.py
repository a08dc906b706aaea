"""What a submission's files do not say clearly enough to start it."""

from grading.errors import SubmissionError


class UnclearStartError(SubmissionError):
    """A start that cannot be read; `plan` adds to its message how to write one that can."""
