import pytest

from chaos.history import File, History
from exercises.week1.ex1_cost_estimate import checks


def passes(line: str) -> bool:
    return checks.day_of_gpt_4o(History([File(path="ANSWERS.md", text=f"# Answers\n\n{line}\n")])).passed


@pytest.mark.parametrize(
    "line",
    [
        "gpt-4o: 500 + 500 = 1 000 USD a day",
        "gpt-4o: 1.000,00 $ a day",
        "gpt-4o: 1\N{NARROW NO-BREAK SPACE}000 USD",
        "gpt-4o: CHF 1'000",
        "gpt-4o: 200 \N{MULTIPLICATION SIGN} $2.50 + 50 \N{MULTIPLICATION SIGN} $10.00 = $500.00 + $500.00 = $1000.00 a day",
        "gpt-4o: 200 \N{MULTIPLICATION SIGN} $2.50 + 50 \N{MULTIPLICATION SIGN} $10.00 = 1000 a day",
        "gpt-4o = 1,000 USD per day",
        "| GPT-4o | 200 M tokens, $500 | 50 M tokens, $500 | **$1,000** | $30,000 |",
        "gpt-4o: 200,000 / 1,000 \N{MULTIPLICATION SIGN} 2.50 + 50,000 / 1,000 \N{MULTIPLICATION SIGN} 10 = 1,000",
        "gpt-4o: $1,000/day for 100,000 requests",
        "gpt-4o: $1000 token cost a day",
        "gpt-4o: per day $1000",
        "gpt-4o costs about 1_000 dollars",
        "gpt-4o: $1k a day",
        "gpt-4o: about 1.0 K USD",
    ],
)
def test_the_amount_of_a_day(line: str) -> None:
    assert passes(line)


@pytest.mark.parametrize(
    "line",
    [
        "gpt-4o: 100,000 \N{MULTIPLICATION SIGN} (2,000 / 1,000 \N{MULTIPLICATION SIGN} $2.50 + 500 / 1,000 \N{MULTIPLICATION SIGN} $10.00) = $1,000,000 a day",
        "gpt-4o: $2.50 per 1,000 tokens = $1,000,000 a day",
        "gpt-4o: 2,000\N{DIVISION SIGN}1000 \N{MULTIPLICATION SIGN} 2.50 = 5",
        "gpt-4o: 1000 input tokens and 500 output tokens, $700",
        "gpt-4o-mini: $1000 a day",
        "gpt-4o: $10 for 1k tokens",
        "gpt-4o: 0.01 $ per 1k",
    ],
)
def test_other_numbers_are_no_amount(line: str) -> None:
    assert not passes(line)
