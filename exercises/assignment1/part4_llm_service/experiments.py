"""The experiments of part 4."""

from exercises.assignment1.experiments import failures, hanging, requests

__all__ = ["failures", "hanging", "requests"]
