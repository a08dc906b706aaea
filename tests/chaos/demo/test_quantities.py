import pytest

from chaos.demo.quantities import duration, rate, spoken


@pytest.mark.parametrize(
    ("text", "seconds"), [("500ms", 0.5), ("5s", 5.0), ("1.5s", 1.5), ("1m", 60.0), ("2h", 7200.0)]
)
def test_durations(text: str, seconds: float) -> None:
    assert duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text", ["", "5", "s", "-5s", "5 s", "5S", "1m30s", "nan", "1e3s", "5d", "\N{ARABIC-INDIC DIGIT FIVE}s"]
)
def test_what_is_no_duration_is_told_with_examples(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a duration: .* 500ms, 5s or 1m"):
        duration(text)


@pytest.mark.parametrize("text", ["0s", "0.1ms", "25h"])
def test_a_duration_has_bounds(text: str) -> None:
    with pytest.raises(ValueError, match="not between"):
        duration(text)


@pytest.mark.parametrize(("text", "per_second"), [("2/s", 2.0), ("30/m", 0.5), ("0.5/s", 0.5)])
def test_rates(text: str, per_second: float) -> None:
    assert rate(text) == pytest.approx(per_second)


@pytest.mark.parametrize("text", ["2", "2/", "/s", "-1/s", "0/s", "101/s", "2/d"])
def test_what_is_no_rate_is_told(text: str) -> None:
    with pytest.raises(ValueError, match=f"'{text}' is"):
        rate(text)


@pytest.mark.parametrize(
    ("seconds", "words"), [(0, "0 s"), (0.5, "500 ms"), (5, "5 s"), (60, "1 min"), (90, "1 min 30 s")]
)
def test_spoken(seconds: float, words: str) -> None:
    assert spoken(seconds) == words
