"""The Retry-After header (RFC 9110, section 10.2.3): a number of seconds, or an HTTP date."""

import contextlib
import math
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from chaos.history import Answer


def seconds_of(answer: Answer) -> float | None:
    """Return how many seconds an answer tells its client to wait; None where it does not, or not legibly.

    A date is measured from the answer's own Date header.
    """
    value = answer.headers.get("retry-after", "").strip()
    with contextlib.suppress(ValueError):
        seconds = float(value)
        return max(0.0, seconds) if math.isfinite(seconds) else None
    with contextlib.suppress(ValueError, TypeError, OverflowError):
        now = parsedate_to_datetime(answer.headers["date"]) if "date" in answer.headers else datetime.now(UTC)
        return max(0.0, (parsedate_to_datetime(value) - now).total_seconds())
    return None
