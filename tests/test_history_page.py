"""docs/HISTORY.md tells of every event that a history can have, with examples that are events."""

import re
from pathlib import Path
from typing import get_args

import pytest
from pydantic import TypeAdapter

from chaos.history import AnyEvent, Event, History

PAGE = (Path(__file__).parent.parent / "docs" / "HISTORY.md").read_text(encoding="utf-8")
EVENTS: tuple[type[Event], ...] = get_args(get_args(AnyEvent)[0])
SECTIONS = dict(re.findall(r"^#### `([\w-]+)`\n(.*?)(?=^#|\Z)", PAGE, re.MULTILINE | re.DOTALL))
EXAMPLE = re.compile(r"^```json\n(.*?)^```", re.MULTILINE | re.DOTALL)


def kind_of(event: type[Event]) -> str:
    return str(event.model_fields["kind"].default)


def test_the_page_has_a_section_for_every_event_and_no_other() -> None:
    assert sorted(SECTIONS) == sorted(map(kind_of, EVENTS))


@pytest.mark.parametrize("event", EVENTS, ids=kind_of)
def test_a_section_names_every_field_and_has_an_example(event: type[Event]) -> None:
    section = SECTIONS[kind_of(event)]
    prose = EXAMPLE.sub("", section)
    [example] = EXAMPLE.findall(section)

    assert isinstance(TypeAdapter(AnyEvent).validate_json(example), event)
    unnamed = {field for field in event.model_fields.keys() - {"t", "kind"} if f"`{field}`" not in prose}
    assert not unnamed


def test_every_example_of_the_page_is_an_event(tmp_path: Path) -> None:
    lines = [line for example in EXAMPLE.findall(PAGE) for line in example.splitlines()]
    (tmp_path / "page.jsonl").write_text("\n".join(lines), encoding="utf-8")

    assert len(History.load(tmp_path / "page.jsonl").events) == len(lines)
