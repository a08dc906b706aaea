"""What the experiments of exercise 4 plant at the model, and its checks look for."""

RETRY_AFTER = 3
LONG_RETRY_AFTER = 120
"""Seconds that the model tells its caller to wait: longer than a first backoff, and longer than any deadline."""
DATE_AFTER = 4
"""Seconds from now to the date in a Retry-After; a date has whole seconds only."""

GATEWAY = "gateway-7.internal"
INTERNALS = (
    'Traceback (most recent call last): File "/srv/model-gateway/router.py", line 71, in route:'
    f" connection to {GATEWAY}:4000 failed"
)
"""What the model's error bodies say, as gateways do; it is not for a caller's eyes."""
HEADERS = {"x-litellm-model-api-base": f"http://{GATEWAY}:4000"}
"""What its error answers carry in their heads."""
