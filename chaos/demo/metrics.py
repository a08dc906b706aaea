"""What a service's metrics say of the service's answers: how many of each status, and how long they took."""

import math
from collections import defaultdict, deque
from collections.abc import Mapping
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

REQUESTS = "http_requests_total"
SECONDS = "http_request_duration_seconds_bucket"
WINDOW = 10.0
"""Over how many seconds rates and quantiles are taken."""


@dataclass(frozen=True, slots=True)
class Sample:
    """The counters at one moment: answers by status, and answers that took at most so many seconds."""

    at: float
    statuses: Mapping[str, float]
    buckets: Mapping[float, float]


def parse(text: str, at: float, *, without: tuple[str, ...] = ()) -> Sample:
    """Read the exposition of a service's metrics, `without` routes that begin so.

    Raises ValueError where it is none.
    """
    statuses: defaultdict[str, float] = defaultdict(float)
    buckets: defaultdict[float, float] = defaultdict(float)
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.labels.get("route", "").startswith(without):
                continue
            if sample.name == REQUESTS:
                statuses[sample.labels.get("status", "?")] += sample.value
            elif sample.name == SECONDS:
                buckets[float(sample.labels["le"])] += sample.value
    return Sample(at, dict(statuses), dict(buckets))


class Window:
    """The samples of the last seconds."""

    def __init__(self, seconds: float = WINDOW) -> None:
        self._seconds = seconds
        self._samples: deque[Sample] = deque()

    def add(self, sample: Sample) -> None:
        """Add the newest sample. Counters that have gone back are those of a new process, and begin a new window."""
        if self._samples and any(
            sample.statuses.get(status, 0) < count for status, count in self._samples[-1].statuses.items()
        ):
            self._samples.clear()
        self._samples.append(sample)
        while len(self._samples) > 2 and self._samples[1].at <= sample.at - self._seconds:
            self._samples.popleft()

    def rates(self) -> dict[str, float]:
        """Answers a second by status; every status that was ever given is there."""
        if len(self._samples) < 2:
            return {}
        first, last = self._samples[0], self._samples[-1]
        seconds = last.at - first.at
        return {
            status: (count - first.statuses.get(status, 0)) / seconds
            for status, count in sorted(last.statuses.items())
        }

    def quantile(self, share: float) -> float | None:
        """The seconds within which this share of the answers was given; None where there were none.

        Between the bounds of the histogram it is a straight line, as Prometheus has it, and infinite above the last.
        """
        if len(self._samples) < 2:
            return None
        first, last = self._samples[0], self._samples[-1]
        counts = {le: count - first.buckets.get(le, 0) for le, count in sorted(last.buckets.items())}
        wanted = share * counts.get(math.inf, 0)
        if wanted <= 0:
            return None
        lower, below = 0.0, 0.0
        for bound, count in counts.items():
            if count >= wanted:
                return lower + (bound - lower) * (wanted - below) / (count - below)
            lower, below = bound, count
        return math.inf
