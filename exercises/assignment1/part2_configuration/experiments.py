"""The experiments of part 2."""

from exercises.assignment1.experiments import dotenv, leaks, limits, refusals, requests

__all__ = ["dotenv", "leaks", "limits", "refusals", "requests"]
