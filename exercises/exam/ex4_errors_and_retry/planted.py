"""What the experiments of exercise 4 plant at the model, and its checks look for."""

RETRY_AFTER = 3
LONG_RETRY_AFTER = 120
"""Seconds that the model tells its caller to wait: longer than a first backoff, and longer than any deadline."""

INTERNALS = "Traceback (most recent call last): File /srv/model-gateway/router.py at gateway-7.internal:4000"
"""What the model's 5xx bodies say, as gateways do; it is not for a caller's eyes."""
