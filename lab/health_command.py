"""Tells health checks that ask a service something from those that succeed whatever it does."""

import re
from collections.abc import Iterator
from typing import Final

MOST_CHARACTERS: Final = 1_000
"""Characters of a command that are read."""

_IDLE = re.compile(
    r"(?:/(?:usr/)?s?bin/)?(?:true|:|exit|echo|printf|sleep|ls|pwd|date|hostname|test|\[\[?|cd|set"
    r"|pgrep|pidof|ps|kill|cat|stat|which|ss|netstat|lsof|command -v)(?=\s|$)",
    re.IGNORECASE,
)
"""What asks the service nothing: it succeeds as long as the container runs, and whatever the process does."""
_FILTER = re.compile(r"(?:/(?:usr/)?bin/)?(?:e?grep|awk|sed|head|tail|wc|tr|cut|tee|jq)(?=\s|$)")
"""What only passes on or judges what another command has said."""
_TELLS_ITSELF = re.compile(r"\s(?:--version|--help)\b")
_NO_ADDRESS = re.compile(r"(?:/\S+/)?(?:curl|wget)(?: -[^\s/:$]+)*")
_INTERPRETER = re.compile(
    r"(?:/\S+/)?(?:python[\d.]*|node|deno|bun)(?: -[a-zA-Z]+)*? (?:-c|-e|--eval) (?P<code>.*)"
)
_NOTHING = re.compile(
    r"|import (?:sys|os|time)(?:, ?(?:sys|os|time))*|print\([^()]*\)|console\.log\([^()]*\)|pass"
    r"|(?:(?:sys|os|process)\._?)?(?:exit|quit)\(0?\)|raise SystemExit(?:\(0?\))?"
)
"""Statements that ask nothing: they print, or leave. A module of the service's own may ask when it is loaded."""
_OR_FAIL = re.compile(r"\s*\|\|\s*exit 1$")
_BY_THE_SHELL = re.compile(r"/dev/tcp/")
_SHELL = re.compile(r"^(?:/bin/)?(?:ba|da|a)?sh -l?c ")
_COMMANDS = re.compile(r"&&|\|\|?|;|\n|\$\(|[`()]|(?<!>)&(?!\d)")
_WORDS_BEFORE = re.compile(
    r"^(?:(?:if|then|elif|else|fi|while|until|do|done|exec|sudo|timeout(?:\s+-\S+)*\s+\S+)(?:\s+|$))+"
)
"""Words of the shell's own, and programs that only start another."""
_COMMENT = re.compile(r"(?:^|(?<=\s))#.*$")
_FORGIVEN = re.compile(r"(?:\|\|?|;|(?<![>&])&)\s*(?:true|:|exit 0|echo\b[^|;&]*)\s*$", re.IGNORECASE)


def asks_nobody(command: str) -> bool:
    """Whether a command that is not empty is healthy whatever the service does."""
    plain = _SHELL.sub("", command[:MOST_CHARACTERS].strip()).strip("'\"")
    plain = _COMMENT.sub("", plain).strip()
    return bool(_FORGIVEN.search(plain)) or _runs_nothing(plain) or not any(map(_asks, _commands(plain)))


def _runs_nothing(plain: str) -> bool:
    """Whether a command is code in its own line that asks nothing."""
    begun = _INTERPRETER.fullmatch(_OR_FAIL.sub("", plain))
    statements = re.split(r"[;\n]", begun["code"].strip("'\" ")) if begun else []
    return begun is not None and all(_NOTHING.fullmatch(one.strip()) for one in statements)


def _commands(plain: str) -> Iterator[str]:
    """Yield the commands of a line, those within others included."""
    parts = (part.strip(" '\"!{}") for part in _COMMANDS.split(plain))
    return filter(None, (_WORDS_BEFORE.sub("", part, count=1) for part in parts))


def _asks(command: str) -> bool:
    if _BY_THE_SHELL.search(command):
        return True
    return not (
        _IDLE.match(command)
        or _FILTER.match(command)
        or _TELLS_ITSELF.search(command)
        or _NO_ADDRESS.fullmatch(command)
    )
