import pytest

from chaos.history import Answer
from lab.retry_after import seconds_of


def answer(**headers: str) -> Answer:
    return Answer(request=1, status=503, headers=headers, body="", elapsed=0.1)


@pytest.mark.parametrize(("value", "seconds"), [("10", 10), (" 2.5 ", 2.5), ("0", 0), ("-3", 0)])
def test_seconds(value: str, seconds: float) -> None:
    assert seconds_of(answer(**{"retry-after": value})) == seconds


def test_a_date_counts_from_the_answers_own_date() -> None:
    headers = {"retry-after": "Sat, 21 Nov 2026 10:00:30 GMT", "date": "Sat, 21 Nov 2026 10:00:00 GMT"}

    assert seconds_of(answer(**headers)) == 30


@pytest.mark.parametrize("headers", [{}, {"retry-after": "soon"}, {"retry-after": ""}])
def test_a_missing_or_illegible_header_says_nothing(headers: dict[str, str]) -> None:
    assert seconds_of(answer(**headers)) is None
