"""Reads `.env` files: lines of `NAME=value`, with comments, `export` and quotes (the common ground of their readers)."""

import re
from dataclasses import dataclass

_LINE = re.compile(r"\s*(?P<comment>#\s*)?(?:export\s+)?(?P<name>[A-Za-z_]\w*)\s*=(?P<value>.*)")
_QUOTED = re.compile(r"""\s*(?P<quote>["'])(?P<value>.*?)(?P=quote)""")


@dataclass(frozen=True, slots=True)
class Variable:
    """One line; `active` is false where the line is commented out."""

    name: str
    value: str
    active: bool


def variables(text: str) -> list[Variable]:
    """Return the variables that a file names."""
    lines = filter(None, map(_LINE.fullmatch, text.splitlines()))
    return [Variable(one["name"], _plain(one["value"]), active=one["comment"] is None) for one in lines]


def _plain(value: str) -> str:
    if quoted := _QUOTED.match(value):
        return quoted["value"]
    return re.split(r"(?:^|\s)#", value, maxsplit=1)[0].strip()
