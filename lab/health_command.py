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
_OR_FAIL = re.compile(r"\s*\|\|\s*exit 1$")
_FORGIVEN = re.compile(r"(\|\|?|;)\s*(true|:|exit 0|echo\b[^|;&]*)\s*$", re.IGNORECASE)


def asks_nobody(command: str) -> bool:
    """Whether a command that is not empty is healthy whatever the service does."""
    plain = re.sub(r"^(/bin/)?(ba|da|a)?sh -l?c ", "", command[:MOST_CHARACTERS])
    plain = _OR_FAIL.sub("", plain.strip().strip("'\"").strip())
    return bool((_IDLE.fullmatch(plain) and not _CLIENT.search(plain)) or _FORGIVEN.search(plain))
