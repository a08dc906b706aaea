"""The failure that `plan` adds advice to."""


class UnclearStartError(Exception):
    """The submission's files do not say how its service starts, or not so that it starts without its container."""
