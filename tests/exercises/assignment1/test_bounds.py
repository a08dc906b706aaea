import itertools
import json
import random
import time
from typing import Any

import pytest

from chaos.history import Answer, File, History, Request
from exercises.assignment1 import bounds, plan
from exercises.assignment1.part3_models import checks

ROLES = {"system", "user", "assistant"}


def is_valid(body: dict[str, Any]) -> bool:
    """Whether a body keeps every bound of the contract, and the shape that the page promises for valid ones."""
    messages = body.get("messages")
    if not isinstance(messages, list) or not 1 <= len(messages) <= bounds.MAX_MESSAGES:
        return False
    for message in messages:
        content = message.get("content")
        if message.get("role") not in ROLES or not isinstance(content, str):
            return False
        if not 1 <= len(content) <= bounds.MAX_CONTENT:
            return False
    temperature, tokens = body.get("temperature", 1), body.get("max_tokens", 1)
    return (
        isinstance(temperature, int | float)
        and 0 <= temperature <= 2
        and isinstance(tokens, int)
        and 1 <= tokens <= bounds.MAX_TOKENS
    )


@pytest.mark.parametrize("seed", range(20))
def test_what_lies_outside_breaks_a_bound_and_what_lies_inside_does_not(seed: int) -> None:
    source = random.Random(seed)
    outside = list(bounds.outside("ref-0a0a0a0a0a0a", source))
    inside = list(bounds.inside(itertools.repeat("ref-0a0a0a0a0a0a"), source))

    assert [case.what for case in outside if is_valid(case.body)] == []
    assert {f"a content of {bounds.MAX_CONTENT + 1} characters", f"{bounds.MAX_MESSAGES + 1} messages"} <= {
        case.what for case in outside
    }
    assert [case.what for _, case in inside if not is_valid(case.body)] == []
    assert {case.field for case in outside} == {"role", "content", "messages", "temperature", "max_tokens"}


@pytest.mark.parametrize("seed", range(20))
def test_a_breach_of_the_contract_is_said_of_no_body_that_keeps_it(seed: int) -> None:
    source = random.Random(seed)
    inside = bounds.inside(itertools.repeat("ref-0a0a0a0a0a0a"), source)
    outside = [case for case in bounds.outside("ref-0a0a0a0a0a0a", source) if not bounds.breach(case.body)]

    assert [case.what for _, case in inside if bounds.breach(case.body)] == []
    # A number in quotes may count as a number, and a fraction is left to the type.
    assert [case.what for case in outside if case.what.split()[-1] not in {"'warm'", "'many'", "10.5"}] == []


HELLO, HI = bounds.user("Hello"), {"role": "assistant", "content": "Hi"}


@pytest.mark.parametrize(
    ("messages", "breach"),
    [
        ([HI], "the assistant begins"),
        ([HI, HELLO], "the assistant begins"),
        ([HELLO, HI], ""),
        ([HELLO, HELLO], ""),
        ([HELLO, {"role": "system", "content": "Be brief."}, HELLO], ""),
        ([{"role": "system", "content": "Be brief."}], ""),
    ],
)
def test_what_only_an_own_rule_refuses_breaches_nothing(messages: list[Any], breach: str) -> None:
    assert bounds.breach({"messages": messages, "max_tokens": None, "temperature": "1"}) == breach


def own_rule(second: list[Any]) -> str:
    """Return what becomes of a README whose second example is refused with 422."""
    blocks = "".join(f"```json\n{json.dumps({'messages': one})}\n```\n" for one in ([HELLO], second))
    answers = [(200, "accepted", '{"content": "Hi"}'), (422, "refused", "{}")]
    events = [
        event
        for number, (status, name, body) in enumerate(answers)
        for event in (
            Request(request=number, label=f"own rule: {name}", method="POST", path="/x"),
            Answer(request=number, status=status, headers={}, body=body, elapsed=0.1),
        )
    ]
    readme = File(path="README.md", text=f"# Conversation rule\n{blocks}")
    return checks.own_rule_holds(History([readme, *events])).status


def test_the_second_example_is_one_that_the_contract_allows() -> None:
    assert own_rule([HELLO, HI]) == "passed"
    assert own_rule([HI]) == "failed"


@pytest.mark.parametrize("length", [1, 2, 3, 50, 99, 100])
def test_a_conversation_takes_turns_and_ends_with_the_user(length: int) -> None:
    roles = [message["role"] for message in bounds.conversation("ref-0a0a0a0a0a0a", length)]

    assert len(roles) == length
    turns = roles[1:] if roles[0] == "system" else roles
    assert turns == ["user", "assistant"] * (len(turns) // 2) + ["user"]


def test_the_longest_content_is_also_tried_with_characters_of_more_than_a_byte() -> None:
    keys = (f"ref-{number:012x}" for number in range(100))
    contents = [
        case.body["messages"][0]["content"]
        for _, case in bounds.inside(keys, random.Random(1))
        if case.what.endswith("beyond ASCII")
    ]

    assert [len(one) for one in contents] == [bounds.MAX_CONTENT]
    assert len(contents[0].encode()) > bounds.MAX_CONTENT


def test_a_label_tells_its_field_and_what_is_remarkable() -> None:
    label = bounds.Case("a message without a role: none", "role", {}).label(bounds.OUTSIDE)

    assert bounds.field_of(label) == "role"
    assert bounds.what_of(label) == "a message without a role: none"


RULE = """
# Service
```json
{"not": "this"}
```
## Conversation rule
The last message is the user's.
```json
{"messages": [1]}
```
and

```JSON title="refused"
{"messages": [2]}
```
## Other
```json
{"messages": [3]}
```
"""


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (RULE, {"accepted": {"messages": [1]}, "refused": {"messages": [2]}}),
        (
            RULE.replace("## Conversation rule", "### My conversation-rule"),
            {"accepted": {"messages": [1]}, "refused": {"messages": [2]}},
        ),
        (
            RULE.replace("## Conversation rule", "Conversation rule\n-----------------"),
            {"accepted": {"messages": [1]}, "refused": {"messages": [2]}},
        ),
        (
            RULE.replace('```json\n{"messages": [1]}\n```', '    ```json\n    {"messages": [1]}\n    ```'),
            {"accepted": {"messages": [1]}, "refused": {"messages": [2]}},
        ),
        (
            RULE.replace("and\n", "- and\n---\n| a |\n---\n"),
            {"accepted": {"messages": [1]}, "refused": {"messages": [2]}},
        ),
        (
            RULE.replace("The last message", "### Accepted\nThe last message").replace(
                "and\n", "### Refused\n"
            ),
            {"accepted": {"messages": [1]}, "refused": {"messages": [2]}},
        ),
        (RULE.replace("and\n", "Another\n======="), {}),
        (RULE.replace("## Conversation rule", "The conversation rule is:"), {}),
        (RULE.replace("## Conversation rule", "## Rules"), {}),
        (RULE.replace('{"messages": [2]}', "{"), {}),
        (RULE.replace('```JSON title="refused"\n{"messages": [2]}\n```\n', ""), {}),
        ("", {}),
    ],
)
def test_the_rule_of_a_readme(text: str, found: dict[str, Any]) -> None:
    assert plan.own_rule(History([File(path="README.md", text=text)])) == found


@pytest.mark.parametrize(
    "part", ["#", "# \n", "-", "a\n-\n", "1", " ", "```json\n", "conversation ", "conversation rule"]
)
def test_a_long_readme_is_read_soon(part: str) -> None:
    text = f"# Conversation rule\n```json\n{part * (100_000 // len(part))}"
    begun = time.process_time()

    plan.own_rule(History([File(path="README.md", text=text)]))
    plan.own_rule(History([File(path="README.md", text=text[10:])]))

    assert time.process_time() - begun < 2
