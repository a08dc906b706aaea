"""Reads shell scripts as far as start commands need it: which commands, in which order."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

_OPERATOR = re.compile(r"&&|\|\||;|\n|\||(?<![<>&])&(?![>&])")
_COMMENT = re.compile(r"^\s*#.*$", re.MULTILINE)
_WORD = re.compile(r"""(?:\$\([^)]*\)|\$\{[^}]*\}|'[^']*'|"(?:\\.|[^"\\])*"|\\.|[^\s'"\\])+""")
_SPECIAL = re.compile(r"[$`<>*?~|&;()\[\]]")


@dataclass(frozen=True)
class Segment:
    """One command of a script, and the operator that follows it ("" at the end)."""

    text: str
    operator: str


def segments(script: str) -> list[Segment]:
    """The commands of `script`, split where no quote or bracket is open."""
    script = _COMMENT.sub("", script.replace("\\\n", " "))
    found: list[Segment] = []
    start = position = depth = 0
    quote = ""
    while position < len(script):
        character = script[position]
        operator = None if quote or depth else _OPERATOR.match(script, position)
        if operator:
            found.append(Segment(script[start:position].strip(), operator[0]))
            start = position = operator.end()
            continue
        if character == "\\" and quote != "'":
            position += 1
        elif quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        else:
            depth = max(0, depth + (character in "({") - (character in ")}"))
        position += 1
    found.append(Segment(script[start:].strip(), ""))
    return [segment for segment in found if segment.text]


def words(command: str) -> list[str]:
    """The words of one command, with their quotes. Raises ValueError where a quote is not closed."""
    found = _WORD.findall(command)
    if _WORD.sub("", command).strip():
        raise ValueError("a quote is not closed")
    return found


def needs_shell(text: str) -> bool:
    """Whether `text` means more to a shell than its words."""
    return bool(_SPECIAL.search(text))


def expand(text: str, variables: Mapping[str, str], *, unknown: str | None = None) -> str | None:
    """`text` with `$NAME`, `${NAME}` and `${NAME:-default}` replaced.

    A name that is not known becomes `unknown`, or makes the whole None.
    """
    failed = False

    def value(match: re.Match[str]) -> str:
        nonlocal failed
        name = match["plain"] or match["braced"]
        if name is None:
            return "$"
        if variables.get(name) or (name in variables and not (match["operator"] or "").startswith(":")):
            return match["other"] or "" if "+" in (match["operator"] or "") else variables[name]
        if "-" in (match["operator"] or ""):
            return match["other"]
        if "+" not in (match["operator"] or ""):
            failed = unknown is None
        return unknown or ""

    expanded = _VARIABLE.sub(value, text)
    return None if failed else expanded


_VARIABLE = re.compile(
    r"\$(?:\$|(?P<plain>[A-Za-z_]\w*)|\{(?P<braced>[A-Za-z_]\w*)(?:(?P<operator>:?[-?+])(?P<other>[^}]*))?\})"
)
