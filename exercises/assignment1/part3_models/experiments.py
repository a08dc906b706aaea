"""The experiments of part 3."""

from exercises.assignment1.experiments import files, own_tests, requests

__all__ = ["files", "own_tests", "requests"]
