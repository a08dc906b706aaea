import random

import pytest

from chaos.history import File, History
from exercises.assignment1 import plan

EXAMPLE = History([File(path=".env.example", text="TEMPERATURE=0.7\n")])


@pytest.mark.parametrize("seed", range(8))
def test_every_setting_is_tried_with_a_value_that_makes_no_sense(seed: int) -> None:
    tried = list(plan.malformed(EXAMPLE, random.Random(seed)))

    assert {name for name, _ in tried} == {
        "RATE_LIMIT_REQUESTS",
        "RATE_LIMIT_WINDOW",
        "MAX_TOKENS_PER_REQUEST",
        "DAILY_COST_LIMIT",
        "DEBUG",
        "TEMPERATURE",
    }
    assert ("DAILY_COST_LIMIT", "nan") in tried
    assert ("DAILY_COST_LIMIT", "0") not in tried
    assert ("DAILY_COST_LIMIT", "inf") not in tried


def test_a_temperature_is_tried_only_if_the_repository_names_one() -> None:
    tried = plan.malformed(History([File(path=".env.example", text="APP_NAME=\n")]), random.Random(1))

    assert "TEMPERATURE" not in {name for name, _ in tried}
