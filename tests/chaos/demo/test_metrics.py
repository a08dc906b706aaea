import math

import pytest

from chaos.demo.metrics import Sample, Window, parse

EXPOSED = """\
# HELP http_requests_total Answers given.
# TYPE http_requests_total counter
http_requests_total{method="POST",route="/llm/generate",status="200"} 7.0
http_requests_total{method="POST",route="/auth/login",status="200"} 1.0
http_requests_total{method="POST",route="/llm/generate",status="503"} 2.0
http_requests_total{method="GET",route="/health/detailed",status="200"} 90.0
http_requests_total{method="GET",route="/metrics",status="200"} 90.0
# TYPE http_request_duration_seconds histogram
http_request_duration_seconds_bucket{le="0.1",method="POST",route="/llm/generate"} 6.0
http_request_duration_seconds_bucket{le="+Inf",method="POST",route="/llm/generate"} 9.0
http_request_duration_seconds_bucket{le="+Inf",method="GET",route="/health"} 90.0
"""


def sample(at: float, buckets: dict[float, float] | None = None, **statuses: float) -> Sample:
    return Sample(at, {name.removeprefix("s"): count for name, count in statuses.items()}, buckets or {})


def test_all_routes_count_but_those_of_the_look_itself() -> None:
    read = parse(EXPOSED, 1.0, without=("/health", "/metrics"))

    assert read.statuses == {"200": 8.0, "503": 2.0}
    assert read.buckets == {0.1: 6.0, math.inf: 9.0}


@pytest.mark.parametrize("text", ['{"status": "ok"}', "<html>", "http_requests_total{"])
def test_what_is_no_exposition_is_told(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse(text, 1.0)


def test_a_service_that_counts_otherwise_has_no_answers() -> None:
    assert parse("requests 3\n", 1.0).statuses == {}


def test_rates_are_those_of_the_last_seconds() -> None:
    window = Window(seconds=10)
    for second in range(31):
        # One answer a second until 20, then two.
        window.add(sample(second, s200=second + max(0, second - 20), s503=5))

    assert window.rates() == {"200": 2.0, "503": 0.0}


def test_one_sample_says_nothing() -> None:
    window = Window()
    window.add(sample(0, {1.0: 5, math.inf: 5}, s200=5))

    assert window.rates() == {}
    assert window.quantile(0.5) is None


def test_a_new_process_begins_a_new_window() -> None:
    window = Window()
    window.add(sample(0, s200=100, s503=3))
    window.add(sample(1, s200=4))
    window.add(sample(2, s200=6))

    assert window.rates() == {"200": 2.0}


@pytest.mark.parametrize(
    ("share", "seconds"), [(0.25, 0.05), (0.5, 0.1), (0.7, 0.5), (0.9, 0.9), (0.99, math.inf)]
)
def test_quantiles_lie_on_lines_between_the_bounds(share: float, seconds: float) -> None:
    window = Window()
    window.add(sample(0, {0.1: 10, 0.9: 10, math.inf: 10}, s200=10))
    window.add(sample(1, {0.1: 60, 0.9: 100, math.inf: 110}, s200=110))

    assert window.quantile(share) == pytest.approx(seconds)


def test_without_answers_there_are_no_quantiles() -> None:
    window = Window()
    window.add(sample(0, {0.1: 10, math.inf: 10}, s200=10))
    window.add(sample(1, {0.1: 10, math.inf: 10}, s200=10))

    assert window.quantile(0.5) is None
