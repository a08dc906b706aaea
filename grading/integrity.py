"""Digest and signature of a run's results: they tell what the grader wrote from what somebody has changed since.

The digest is the SHA-256 of everything that `report.json` says (but `integrity`) and of the SHA-256 of each history's file.
Anyone can make it, so it finds accidents alone. The signature is an HMAC-SHA256 of the digest with the instructor's key.
"""

import ctypes
import hashlib
import hmac
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from grading.errors import UsageError
from grading.report import Integrity, Report

KEY_VARIABLE: Final = "GRADING_KEY"
KEY_LENGTH: Final = 32
"""Characters: fewer could be guessed from one signed report."""
_PURPOSE: Final = "llm-grading report 1"
"""Signed with the digest, so that no signature made with this key for something else passes for one of a report."""


def take_key() -> bytes | None:
    """Take the instructor's key out of the environment; returns None if there is none.

    Raises UsageError if it is too short. Afterwards neither programs that the grader starts nor `/proc` show the key.
    """
    key = os.environ.get(KEY_VARIABLE)
    if key is None:
        return None
    _forget(KEY_VARIABLE)
    if len(key) < KEY_LENGTH:
        raise UsageError(
            f"{KEY_VARIABLE} has {len(key)} characters and needs at least {KEY_LENGTH};"
            " make one with `openssl rand -hex 32`, or unset it to leave the results unsigned."
        )
    return key.encode("utf-8", "surrogateescape")


def sign(report: Report, histories: Mapping[str, str], key: bytes | None) -> Report:
    """Return a report with its digest, and its signature if there is a key; `histories` are the SHA-256 digests of the files, by experiment."""
    content = json.loads(report.model_dump_json(exclude={"integrity"}))
    digest = make_digest(content, histories)
    signature = make_signature(digest, key) if key else None
    return report.model_copy(
        update={"integrity": Integrity(histories=dict(histories), digest=digest, signature=signature)}
    )


def make_digest(content: Mapping[str, Any], histories: Mapping[str, str]) -> str:
    """Return the digest of what a report says, as parsed JSON without `integrity`, and of its histories."""
    text = json.dumps({"report": content, "histories": histories}, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def make_signature(digest: str, key: bytes) -> str:
    """Return the signature of a digest."""
    return hmac.new(key, f"{_PURPOSE}\n{digest}".encode(), hashlib.sha256).hexdigest()


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file. Raises OSError if it cannot be read."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _forget(variable: str) -> None:
    """Remove a variable from the environment, and its value from the memory that `/proc/PID/environ` shows."""
    libc = ctypes.CDLL(None)
    libc.getenv.restype = ctypes.c_void_p
    if address := libc.getenv(variable.encode()):
        ctypes.memset(address, 0, len(ctypes.string_at(address)))
    del os.environ[variable]
