"""Keys and tokens whose form gives them away."""

import re
from collections.abc import Iterator

_SECRET = re.compile(
    r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----"
    r"|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"  # Amazon
    r"|\bgh[pousr]_[A-Za-z0-9]{36,255}"  # GitHub
    r"|\bgithub_pat_\w{22,255}"
    r"|\bglpat-[\w-]{20,255}"  # GitLab
    r"|\bsk-[\w-]{20,255}"  # OpenAI and many others
    r"|\bxox[abeprs]-[\w-]{10,255}"  # Slack
    r"|\bAIza[\w-]{35}"  # Google
    r"|(?<![\w-])eyJ[\w-]{5,4000}\.eyJ[\w-]{5,4000}\.[\w-]{5,1000}",  # JSON Web Tokens
    re.ASCII,
)


def find(text: str) -> Iterator[tuple[int, int]]:
    return (match.span() for match in _SECRET.finditer(text))
