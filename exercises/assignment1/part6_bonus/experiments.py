"""The experiments of part 6."""

from exercises.assignment1.experiments import broken_tests, streams

__all__ = ["broken_tests", "streams"]
