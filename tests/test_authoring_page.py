"""docs/AUTHORING.md shows the files of the toy assessment as they are, and leads to what exists."""

import re
from pathlib import Path
from typing import get_args

import pytest

from chaos.contract import Contract, Kind
from lab.control import NEEDS
from lab.scoring import Scheme

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "AUTHORING.md").read_text(encoding="utf-8")
SHOWN = re.findall(r"^`(tests/toy/[\w./]+)`\n\n```\w+\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize(("name", "text"), SHOWN, ids=[name for name, _ in SHOWN])
def test_a_file_on_the_page_is_the_one_that_is_graded_with(name: str, text: str) -> None:
    assert text == (ROOT / name).read_text(encoding="utf-8")


def test_the_page_shows_every_file_of_the_assessment() -> None:
    files = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "tests/toy").rglob("*")
        if path.suffix in {".toml", ".py"} and "solution" not in path.parts and path.name != "__init__.py"
    }

    assert {name for name, _ in SHOWN} == files


def test_the_page_names_every_table_scheme_kind_and_need() -> None:
    tables = {f"`[{name}" for name in Contract.model_fields.keys() - {"required", "variables"}}

    for word in (*tables, *(f"`{one}`" for one in (*get_args(Scheme), *get_args(Kind), *NEEDS))):
        assert word in PAGE


def test_links_and_paths_exist() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", PAGE)
    paths = re.findall(r"`((?:exercises|tests|lab|chaos|grading)/[\w/.]+)`", PAGE)

    assert links
    assert [link for link in links if not (ROOT / "docs" / link).exists()] == []
    assert [path for path in paths if not (ROOT / path).exists()] == []
