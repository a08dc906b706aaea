"""Tells health checks that ask a service something from those that succeed whatever it does."""

import re
from typing import Final

MOST_CHARACTERS: Final = 1_000
"""Characters of a command that are read."""

_IDLE = re.compile(
    r"(/(usr/)?s?bin/)?(true|:|exit( 0)?|echo\b.*|sleep\b.*|ls\b.*|pwd|date|hostname|test\b.*|\[ .*\]"
    r"|(pgrep|pidof|ps|kill|cat|stat|which)\b[^;&]*)",
    re.IGNORECASE,
)
"""What asks the service nothing: it succeeds as long as the container runs, and whatever the process does."""
_CLIENT = re.compile(
    r"curl|wget|http|/dev/tcp|\bnc\b|ncat|netcat|socat|python|node|fetch|grpc", re.IGNORECASE
)
"""What in such a command may ask after all, as in `test "$(curl ...)" = 200`."""
_INTERPRETER = re.compile(r"(/\S+/)?(python[\d.]*|node|deno|bun)( -[a-zA-Z]+)*? (-c|-e|--eval) (?P<code>.*)")
_NOTHING = re.compile(
    r"|import (sys|os|time)(, ?(sys|os|time))*|print\([^()]*\)|console\.log\([^()]*\)|((sys|os|process)\._?)?(exit|quit)\(0?\)|pass"
    r"|raise SystemExit(\(0?\))?"
)
"""Statements that ask nothing: they print, or leave. A module of the service's own may ask when it is loaded."""
_NO_ADDRESS = re.compile(r"(/\S+/)?(curl|wget)( -[^\s/:$]+)*")
_REMARK = re.compile(r"\s#.*")
_OR_FAIL = re.compile(r"\s*\|\|\s*exit 1$")
_FORGIVEN = re.compile(r"(\|\|?|;|(?<![&>])&)\s*(true|:|exit 0|echo\b[^|;&]*)\s*$", re.IGNORECASE)


def asks_nobody(command: str) -> bool:
    """Whether a command that is not empty is healthy whatever the service does."""
    plain = re.sub(r"^(/bin/)?(ba|da|a)?sh -l?c ", "", command[:MOST_CHARACTERS])
    plain = _OR_FAIL.sub("", _REMARK.sub("", plain.strip().strip("'\"")).strip())
    idle = _IDLE.fullmatch(plain) and not _CLIENT.search(plain)
    return bool(idle or _FORGIVEN.search(plain) or _NO_ADDRESS.fullmatch(plain) or _runs_nothing(plain))


def _runs_nothing(command: str) -> bool:
    """Whether a command is code in its own line that asks nothing."""
    begun = _INTERPRETER.fullmatch(command)
    statements = re.split(r"[;\n]", begun["code"].strip("'\" ")) if begun else []
    return begun is not None and all(_NOTHING.fullmatch(one.strip()) for one in statements)
