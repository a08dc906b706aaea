"""Tells names and values that give a secret away from those that only sound like it, such as MAX_TOKENS."""

import re

from lab.reading import as_json

_WORDS = re.compile(r"[_.\-\s]+|(?<=[a-z0-9])(?=[A-Z])")
_SECRET_ENDS = frozenset(
    {"key", "keys", "secret", "secrets", "token", "password", "passwd", "pwd", "credential", "credentials"}
)
_REFERENCE = re.compile(r"\$\(\w+\)|\$\{[^}]*\}|\$\w+|^ENC\[.*\]$|^(?:vault|ref\+\w+):\S+$")
"""What stands for a value that is elsewhere, such as in Vault, or that SOPS has encrypted."""
_PLACEHOLDER = re.compile(
    r"change|replace|your|example|placeholder|dummy|insert|(?:set|fill|update)[-_ ]?(?:me|in)|<|\$\{|\.\.\.|\*\*\*"
    r"|todo|xxx|redacted|^tbd$|not[-_ ]a[-_ ](?:real[-_ ])?secret",
    re.IGNORECASE,
)
_SWITCHES = frozenset({"true", "false", "yes", "no", "on", "off"})
_NO_KEYS = frozenset(
    {
        "none",
        "null",
        "empty",
        "unused",
        "not-needed",
        "no-key",
        "no-key-required",
        "sk-no-key-required",
        "n/a",
    }
)
"""What a client that insists on a key gets for a server that needs none."""
_PASSWORD_IN_URL = re.compile(r"\w://[^/@\s:]*:(?P<password>[^/@\s]+)@")
_USERS = "BOOTSTRAP_USERS"


def is_secret(name: str) -> bool:
    """Whether what stands under a name is secret: its last word says so, and it is no public key.

    ACCESS_TOKEN_EXPIRE_MINUTES, TOKENIZERS_PARALLELISM and JWT_SECRET_FILE are none.
    """
    words = [word.lower() for word in _WORDS.split(name) if word]
    return name.upper() == _USERS or bool(words and words[-1] in _SECRET_ENDS and "public" not in words)


def gives_away(name: str, value: str) -> bool:
    """Whether a value under a name is a secret in clear: no reference, path or switch, and nothing to be replaced."""
    return any(_is_plain(part) and not _PLACEHOLDER.search(part) for part in _secret_parts(name, value))


def is_in_clear(name: str, value: str) -> bool:
    """Whether a value under a name is a secret in clear, even one that is meant to be replaced."""
    return any(map(_is_plain, _secret_parts(name, value)))


def _is_plain(part: str) -> bool:
    secret = _REFERENCE.sub("", part).strip("\"' ")
    return bool(secret) and not secret.startswith("/") and secret.lower() not in _SWITCHES | _NO_KEYS


def _secret_parts(name: str, value: str) -> list[str]:
    """Return what is secret of a value: all of it, the password in a URL, or those in a list of users."""
    if found := _PASSWORD_IN_URL.search(value):
        return [found["password"]]
    if not is_secret(name):
        return []
    users = as_json(value) if value.lstrip().startswith("[") else None
    if isinstance(users, list) and all(isinstance(user, dict) for user in users):
        return [str(user.get("password", "")) for user in users]
    return [value]
