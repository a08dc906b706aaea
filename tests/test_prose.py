"""Pages, titles, measures and hints are in plain English: the rules of prose.toml, and no long sentences."""

import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from exercises.catalogue import NAMES, assessment

ROOT = Path(__file__).parent.parent
RULES = tomllib.loads(Path(__file__).with_name("prose.toml").read_text(encoding="utf-8"))
PAGES = sorted(
    path
    for pattern in ("*.md", "docs/*.md", "exercises/**/*.md")
    for path in ROOT.glob(pattern)
    if not {"solution", "starter"} & set(path.parts) and path.name not in RULES["skipped"]
)
CODE = "CODE"
"""Stands for a code span: its words are not prose."""
_SENTENCE_END = re.compile(r"(?<=[.!?:])[*_)\"]*\s+(?=[^a-z])")


@dataclass(frozen=True)
class Rule:
    """A pattern that prose must not match, and what to write instead."""

    pattern: re.Pattern[str]
    instead: str


BANNED = [Rule(re.compile(one["pattern"], re.IGNORECASE), one["instead"]) for one in RULES["banned"]]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_is_in_plain_english(page: Path) -> None:
    findings = [
        f"{page.relative_to(ROOT)}:{line}: {finding}"
        for line, text in paragraphs(page.read_text(encoding="utf-8"))
        for finding in slips(text)
    ]
    assert findings == []


@pytest.mark.parametrize("name", NAMES)
def test_a_rubric_is_in_plain_english(name: str) -> None:
    texts = [
        (f"{one.number} {field}", text)
        for exercise in assessment(name).exercises
        for one in exercise.criteria
        for field, text in (("title", one.title), ("measured", one.measured), ("hint", one.hint))
    ]
    assert texts
    assert [
        f"{where}: {slip}" for where, text in texts for _, prose in paragraphs(text) for slip in slips(prose)
    ] == []


@pytest.mark.parametrize("name", NAMES)
def test_a_hint_is_short(name: str) -> None:
    criteria = [one for exercise in assessment(name).exercises for one in exercise.criteria]

    assert [one.number for one in criteria if len(one.hint.split()) > RULES["words_in_a_hint"]] == []


def test_the_rules_find_what_they_forbid() -> None:
    for one in RULES["banned"]:
        found = [rule.instead for rule in BANNED if rule.pattern.search(one["example"])]
        assert one["instead"] in found, one["example"]


def test_code_is_not_prose_and_a_long_sentence_is_found() -> None:
    long = " ".join(["word"] * (RULES["words_in_a_sentence"] + 1))
    page = f"# Title\n\n```sh\n{long}\n```\n\nRun `{long}`.\n\n| a | {long}. |\n|---|---|\n"

    assert [(line, len(list(slips(text)))) for line, text in paragraphs(page)] == [
        (1, 0),
        (7, 0),
        (9, 0),
        (9, 1),
    ]


def paragraphs(page: str) -> Iterator[tuple[int, str]]:
    """Yield the line and the text of each paragraph, heading, item and table cell of a page in Markdown."""
    line = 0
    for token in MarkdownIt("commonmark").enable("table").parse(page):
        line = token.map[0] + 1 if token.map else line
        if token.type == "inline":
            yield line, _text(token.children or [])


def slips(text: str) -> Iterator[str]:
    """Yield what is wrong with a paragraph, and what to write instead."""
    for rule in BANNED:
        for found in rule.pattern.finditer(text):
            around = text[max(0, found.start() - 30) : found.end() + 30].strip()
            yield f"'{around}': {rule.instead}"
    for sentence in _SENTENCE_END.split(text):
        if (words := len(sentence.split())) > RULES["words_in_a_sentence"]:
            yield f"'{sentence[:60]}...' has {words} words: split it"


def _text(children: Sequence[Token]) -> str:
    words = {"code_inline": CODE, "softbreak": " "}
    return "".join(one.content if one.type == "text" else words.get(one.type, "") for one in children)
