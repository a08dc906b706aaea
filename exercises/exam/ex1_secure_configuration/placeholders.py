"""Tells a placeholder, which says that it has to be replaced, from a value that could be taken into use as it stands."""

import re
import tomllib
import unicodedata
from pathlib import Path

# What is written where a value has to be put in: by marks, or by having nothing in it.
_MARKED = re.compile(
    r"^n/?a$|^(vault|op|ssm|sops|file)://?|<[^<>]+>|\$\{[^}]*\}|\$\([^)]*\)|\{\{.*\}\}|^\{.*\}$|^\[.*\]$|^\$[A-Z_]+$|^%\w+%$|^@\w+@$|^__\w+__$"
    r"|\bnot[\W_]?for[\W_]?prod|\.\.\.|…|\*{3,}|(?<![^\W_])x{3,}(?![^\W_])",
    re.IGNORECASE,
)
_VOCABULARY = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
_ASKING, _MILD, _NAMES, _ROLES, _BETWEEN = (
    frozenset(_VOCABULARY[kind].split()) for kind in ("asking", "mild", "names", "roles", "between")
)
_WORD = re.compile(r"[^\W\d_]+")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")

_COMPOUND = re.compile(
    r"(change|replace|your|insert|enter|put|fill|set|update|remplace[rz]?|ersetze|cambia|cambie)"
    r"(me|this|it|in|with|your|my|own|super|strong|secure|random|long|secret|password|passwd|pass|key|token|jwt|api|value"
    r"|here|before|use|now|later|please|admin|user|moi)+"
)
_RUN = re.compile(r"[A-Za-z0-9+/=]+(?:[-_][A-Za-z0-9+/=]+)*")
_TURN = re.compile(r"[a-z](?=[A-Z0-9])|[A-Z](?=[0-9])|[0-9](?=[A-Za-z])")
_SHORTEST_RUN = 16
_TURNS = 4
_LONGEST = 1000


def is_placeholder(value: str) -> bool:
    """Whether a value says that it is to be replaced: it is empty, marked as such, or words say so, in any language."""
    value = value[:_LONGEST].strip()
    if random_part(value):
        return False
    if not any(character.isalnum() for character in value) or _MARKED.search(value):
        return True
    words = _words(value)
    asking = {word for word in words if word in _ASKING or _COMPOUND.fullmatch(word)}
    if any(character.isdigit() for character in value):
        # A number makes a password of any words, so at least half of them must be such as placeholders are made of.
        known = sum(word in asking | _MILD | _NAMES | _BETWEEN for word in words)
        return bool(asking and 2 * known >= len(words)) or _is_one_character(value)
    if asking or _MILD & set(words):
        return True
    if not value.isascii() and not any(
        "LATIN" in unicodedata.name(one, "") for one in value if one.isalpha()
    ):
        return True
    return _is_one_character(value) or (set(words) <= _NAMES and not set(words) <= _ROLES)


def random_part(text: str) -> str | None:
    """Return a part of a text that looks drawn at random, as keys do: long, with letters and digits in turns."""
    for run in _RUN.findall(text):
        letters = sum(character.isalpha() for character in run)
        digits = sum(character.isdigit() for character in run)
        if len(run) < _SHORTEST_RUN or not letters or len(set(run)) < 8:
            continue
        if digits >= 3 and len(_TURN.findall(run)) >= _TURNS and not _is_words_and_numbers(run):
            return str(run)
    return None


def _is_words_and_numbers(run: str) -> bool:
    """Whether a text is words and numbers with marks between them, such as `at-least-32-characters-2024`."""
    parts = re.split(r"[-_+/=]", run)
    return all(part.isalpha() or part.isdigit() or not part for part in parts) and len(parts) > 1


def _words(value: str) -> list[str]:
    plain = "".join(
        one for one in unicodedata.normalize("NFKD", _CAMEL.sub(" ", value)) if not unicodedata.combining(one)
    )
    return [word.lower() for word in _WORD.findall(plain.replace("_", " ").replace("ł", "l"))]


def _is_one_character(value: str) -> bool:
    """Whether a value is one character over and over, or nearly."""
    return len({one.lower() for one in value if one.isalnum()}) < 2
