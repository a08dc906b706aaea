import random

import pytest

from chaos.history import Answer, File, History
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


def report(body: str, status: int = 200) -> Answer:
    return Answer(request=1, status=status, headers={}, body=body, elapsed=0.1)


@pytest.mark.parametrize(
    ("body", "up"),
    [
        ('{"status": "ok", "provider": "openai"}', True),
        ('{"status": "ok", "provider": {"name": "openai", "latency_ms": 12.3}}', True),
        ('{"status": "ok", "checks": [{"name": "openai", "base_url": "http://x"}]}', True),
        ('{"status": "ok", "openai": true}', True),
        ('{"status": "ok", "openai": "unreachable"}', False),
        ('{"status": "ok"}', False),
        ("ok", False),
    ],
)
def test_where_the_status_tells_the_entry_may_say_anything(body: str, *, up: bool) -> None:
    assert plan.tells(report(body), up=True) is up
    assert plan.tells(report(body, 503), up=False) is body.startswith("{")
    assert not plan.tells(report(body, 503), up=True)


def test_a_status_that_stays_tells_of_no_outage() -> None:
    assert not plan.tells(report('{"status": "ok", "provider": "openai"}'), up=False)
    assert plan.tells(report('{"status": "ok", "provider": "down"}'), up=False)


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
