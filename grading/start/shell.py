"""Reads shell scripts as far as start commands need it: which commands, in which order."""

import re
from collections.abc import Mapping

_OPERATOR = re.compile(r"&&|\|\||;;|;|\n|\||(?<![<>&])&(?![>&])")
_COMMENT = re.compile(r"(?<![^\s;&|()])#[^\n]*")
_WORD = re.compile(r"""(?:\$\([^)]*\)|\$\{[^}]*\}|'[^']*'|"(?:\\.|[^"\\])*"|\\.|[^\s'"\\])+""")
_SPECIAL = re.compile(r"[$`<>*?~|&;()\[\]]")
_VARIABLE = re.compile(
    r"\$(?:\$|(?P<plain>[A-Za-z_]\w*)|\{(?P<braced>[A-Za-z_]\w*)(?:(?P<operator>:?[-?+])(?P<other>[^}]*))?\})"
)

EXPANDED_LIMIT = 1 << 14
"""Characters: each line may double what the line before has set, so that the values have to end somewhere."""


def commands(script: str) -> list[tuple[str, str]]:
    """Return the commands of `script`, each with the operator that follows it ("" at the end).

    Splits only outside of quotes and brackets. Comments are left out.
    """
    script = script.replace("\\\n", " ")
    found: list[tuple[str, str]] = []
    start = position = depth = 0
    quote = ""
    while position < len(script):
        character = script[position]
        operator = None if quote or depth else _OPERATOR.match(script, position)
        if operator:
            found.append((script[start:position].strip(), operator[0]))
            start = position = operator.end()
            continue
        if not quote and (comment := _COMMENT.match(script, position)):
            script = script[:position] + script[comment.end() :]
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
    found.append((script[start:].strip(), ""))
    return [(text, operator) for text, operator in found if text]


def words(command: str) -> list[str]:
    """Return the words of one command, with their quotes. Raises ValueError if a quote is not closed."""
    found = _WORD.findall(command)
    if _WORD.sub("", command).strip():
        raise ValueError("a quote is not closed")
    return found


def needs_shell(text: str) -> bool:
    """Whether a shell would do more with `text` than split it into words."""
    return bool(_SPECIAL.search(text))


def expand(text: str, variables: Mapping[str, str], *, unknown: str | None = None) -> str | None:
    """Return `text` with `$NAME`, `${NAME}` and `${NAME:-default}` replaced.

    A name without a value is replaced by `unknown`; without that, the result is None. Raises ValueError if the values
    are longer than 16 kB.
    """
    missing = False
    length = 0

    def replace(match: re.Match[str]) -> str:
        nonlocal missing, length
        value = _value(match, variables)
        missing = missing or value is None
        value = (unknown or "") if value is None else value
        length += len(value)
        if length > EXPANDED_LIMIT:
            raise ValueError(f"its variables have more than {EXPANDED_LIMIT >> 10} kB")
        return value

    expanded = _VARIABLE.sub(replace, text)
    return None if missing and unknown is None else expanded


def _value(match: re.Match[str], variables: Mapping[str, str]) -> str | None:
    """Return what a variable is replaced by, or None if it has no value and no default."""
    name, operator = match["plain"] or match["braced"], match["operator"] or ""
    if name is None:
        return "$"
    is_set = bool(variables.get(name)) or (name in variables and not operator.startswith(":"))
    if "+" in operator:
        return match["other"] if is_set else ""
    if is_set:
        return variables[name]
    return match["other"] if "-" in operator else None
