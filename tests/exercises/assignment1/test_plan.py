import random

import pytest

from chaos.history import File, History
from exercises.assignment1 import bounds, plan
from exercises.catalogue import assessment

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
    assert len(tried) == len(set(tried))
    assert {
        *(("RATE_LIMIT_REQUESTS", "0"), ("RATE_LIMIT_WINDOW", "0"), ("MAX_TOKENS_PER_REQUEST", "0")),
        *(("RATE_LIMIT_WINDOW", "nan"), ("DAILY_COST_LIMIT", "nan")),
    } <= set(tried)
    assert any(name == "DAILY_COST_LIMIT" and value.startswith("-") for name, value in tried)
    assert any(name == "RATE_LIMIT_REQUESTS" and not value.strip("-").isdigit() for name, value in tried)
    assert ("DAILY_COST_LIMIT", "0") not in tried
    assert ("DAILY_COST_LIMIT", "inf") not in tried


@pytest.mark.parametrize("seed", range(8))
def test_the_default_of_max_tokens_is_more_than_the_limit_allows(seed: int) -> None:
    limit = int(plan.limits(random.Random(seed)).variables["MAX_TOKENS_PER_REQUEST"] or 0)
    usual = assessment("assignment1").contract.ask_body("Hello")["max_tokens"]

    assert usual < limit < plan.DEFAULT_TOKENS


def test_a_content_with_white_space_around_it_is_part_of_the_conversation() -> None:
    messages = plan.conversation_body("ref-0a0a0a0a0a0a")["messages"]

    assert any(one["content"] != one["content"].strip() for one in messages)
    assert bounds.breach({"messages": messages}) == ""


def test_a_temperature_is_tried_only_if_the_repository_names_one() -> None:
    tried = plan.malformed(History([File(path=".env.example", text="APP_NAME=\n")]), random.Random(1))

    assert "TEMPERATURE" not in {name for name, _ in tried}


RULE = """
## Conversation rule

```json
{"messages": [1]}
```

```json
{"messages": [2]}
```
"""


@pytest.mark.parametrize(
    "before",
    [
        "# A service with a conversation rule\n\nAs the assignment asks.\n",
        "# Service\n\n```sh\n# the conversation rule: refused\ncurl -i localhost:8000\n```\n",
        "# Service\n\n## Conversation rule, in short\n\n```json\n{}\n```\n",
    ],
)
def test_the_examples_may_stand_below_a_later_heading(before: str) -> None:
    told = History([File(path="README.md", text=before + RULE)])

    assert plan.own_rule(told) == {"accepted": {"messages": [1]}, "refused": {"messages": [2]}}


def test_a_rule_without_examples_lacks_them() -> None:
    told = History([File(path="README.md", text="# Service\n\n## Conversation rule\n\nBe polite.\n")])

    assert "are 0 blocks marked json" in plan.own_rule_lacks(told)
