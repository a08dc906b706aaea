from collections.abc import Sequence

import pytest

from exercises.exam.documentation import bonus
from lab.assessment import BonusRule
from lab.exercise import Exercise
from lab.result import Bonus

EXERCISES = [Exercise(number, "t", 10, core=False, criteria=()) for number in (1, 2)]
RULE = BonusRule(module="documentation", title="Documentation", file="IMPLEMENTATION.md", points=5)
SECTION = """
## Exercise {number}: something

### Problem
The service started with a default secret, so anybody could forge a token and nobody would have noticed it at all.

### Solution
Settings are validated at start with every bad variable named at once, and the process refuses to serve without them.

### Verification
```sh
# with a key that is too short
JWT_SECRET_KEY=short uv run uvicorn api.main:app --app-dir src
```
"""


def documentation(text: str | None, exercises: Sequence[Exercise]) -> Bonus:
    return bonus({RULE.file: text}.get, exercises, RULE)


def section(number: int, **changes: str) -> str:
    text = SECTION.format(number=number)
    for old, new in changes.items():
        text = text.replace(old, new)
    return text


def test_all_exercises_documented_bring_the_whole_bonus() -> None:
    result = documentation(section(1) + section(2), EXERCISES)

    assert (result.points, result.missing) == (5, "")


def test_bold_words_mark_the_parts_as_well_as_headings() -> None:
    text = section(1).replace("### Problem", "**Problem**").replace("### Solution", "**Solution:**")

    assert documentation(text, EXERCISES[:1]).points == 5


def test_headings_and_bold_words_within_a_part_belong_to_it() -> None:
    text = section(1).replace("### Solution\n", "### Solution\n\n#### Settings\n\n**pydantic-settings**\n")

    assert documentation(text, EXERCISES[:1]).points == 5


def test_a_share_for_a_share() -> None:
    result = documentation(section(2), EXERCISES)

    assert result.points == 2.5
    assert result.missing == "exercise 1 lacks its section"


def test_exercises_that_lack_the_same_are_named_together() -> None:
    assert documentation("Nothing.", EXERCISES).missing == "exercises 1 and 2 lack its section"


@pytest.mark.parametrize(
    ("old", "new", "missing"),
    [
        ("The service started with a default secret, so anybody", "Bad.\n### Other\n", "the problem"),
        ("### Solution", "### Remarks", "the solution"),
        ("JWT_SECRET_KEY=short", "# JWT_SECRET_KEY=short", "commands that verify it"),
        ("```", "", "commands that verify it"),
    ],
)
def test_a_part_that_is_missing_is_named(old: str, new: str, missing: str) -> None:
    result = documentation(section(1).replace(old, new), EXERCISES[:1])

    assert result.points == 0
    assert missing in result.missing


def test_a_short_sentence_is_enough() -> None:
    text = section(1)
    long = text.partition("### Problem\n")[2].partition("\n")[0]

    assert documentation(text.replace(long, "Everything was a 500."), EXERCISES[:1]).points == 0
    assert documentation(text.replace(long, "Everything was a 500, even typos."), EXERCISES[:1]).points == 5


@pytest.mark.parametrize(
    "verification",
    ["1. Start it:\n\n   ```sh\n   uv run pytest\n   ```\n", "Run `uv run pytest` and look at the log."],
)
def test_a_command_may_be_indented_or_stand_in_a_sentence(verification: str) -> None:
    before, heading, _ = section(1).partition("### Verification\n")

    assert documentation(before + heading + verification, EXERCISES[:1]).points == 5


def test_words_in_comments_and_code_do_not_count() -> None:
    text = (
        section(1)
        .replace("The service started", "<!-- The service started")
        .replace("at all.", "at all. -->")
    )

    assert "the problem" in documentation(text, EXERCISES[:1]).missing


def test_no_file_brings_nothing() -> None:
    result = documentation(None, EXERCISES)

    assert (result.points, result.missing) == (0, "there is no IMPLEMENTATION.md")
