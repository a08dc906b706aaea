"""What the exam promises a client of the service, in seconds, and what a fair check adds to it."""

DEADLINE_SECONDS = 30.0
"""Every request has its answer by then, whatever the model does."""

TOLERANCE_SECONDS = 5.0
"""What a busy machine may add to the deadline."""

PATIENCE_SECONDS = DEADLINE_SECONDS + TOLERANCE_SECONDS + 1
"""When the lab stops waiting for an answer."""
