"""The experiments of part 5."""

from exercises.assignment1.experiments import budget, dotenv, failures, health, limits, own_tests, requests

__all__ = ["budget", "dotenv", "failures", "health", "limits", "own_tests", "requests"]
