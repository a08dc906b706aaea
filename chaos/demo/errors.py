"""What a command ends with where it cannot do as told: one sentence."""


class StageError(Exception):
    """`code` is the exit code of the command."""

    code = 3


class WrongUseError(StageError):
    """The command names something that does not exist."""

    code = 2


class NotThereError(StageError):
    """A part of the stack does not answer, or not as it should."""


class NoServiceError(NotThereError):
    """Nothing serves the API, as far as can be seen from here."""
