"""How many processors this process may use."""

import os


def count_processors() -> int:
    """Return how many processors this process may use, or where the system does not tell, how many there are."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
