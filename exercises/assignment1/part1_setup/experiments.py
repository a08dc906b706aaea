"""The experiments of part 1."""

from exercises.assignment1.experiments import files, requests

__all__ = ["files", "requests"]
