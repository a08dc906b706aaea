"""How much of an outage the circuit breaker of a service may meet before it is open."""

FAILED_REQUESTS = 5
REJECTED_REQUESTS = 5
"""So many requests in a row show that the breaker is open."""


def most_failed_requests(workers: int) -> int:
    """Return how many requests may have failed at the model before all breakers are open, one in each worker.

    Which worker a request meets is chance: while the last ones meet their failures, the first may probe already.
    """
    return FAILED_REQUESTS * (2 * workers - 1)
