"""Finds the log records that tell of a shutdown: by what they say, not by whatever else stands in the line."""

import json
import re
from collections.abc import Iterator
from typing import Any

from chaos.history import Log

_TELLS = re.compile(
    r"\bshut(?:ting|s)?[ _-]?down|\bdrain|\bgraceful|\bsigterm\b|\b(?:signal|signum)\b|\btermin(?:at|é)|\bstop(?:s|ped|ping)?\b"
    r"|\bexit(?:s|ed|ing)?\b|\bclos(?:e[ds]?|ing)\b|\bclean(?:s|ed|ing)?[ -]?up\b|\btear(?:ing)?[ _-]?down\b|\bgoing down\b|\bquit(?:s|ting)?\b|\bhalt"
    r"|\bfinished server process|\b(?:good)?bye\b|\barrêt|\bfermeture|\bencerr|\bcerrando|\bdeten|\bapagando|\bbeend|\bherunter"
    r"|\bspegn|\barrest(?:o|ando)\b|\bzamyka|\bzatrzym"
    r"|\bзаверш\w* р[ао]бот|\bостанов|\bзупин",  # noqa: RUF001 - Russian and Ukrainian
    re.IGNORECASE,
)
"""What records of a shutdown say; a server's own count where they are let through."""
_OF_A_REQUEST = re.compile(
    r"\bHTTP/\d|\brequest (?:terminated|stopped|closed)\b|\bcircuit\b|\bbreaker\b|\bclos\w+ by (?:the )?(?:client|peer)\b",
    re.IGNORECASE,
)
"""What access lines and other records of requests and calls say."""
_JOINT = re.compile(r"_|(?<=[a-z])(?=[A-Z])")
"""What stands between the words of an event's name, such as `service_stopped` or `serviceStopped`."""
_MESSAGES = {"message", "msg", "event", "text", "body", "description", "action"}
_IDS = ("requestid", "correlationid", "traceid")
_DEPTH = 3
_MIN_ID_LENGTH = 6


def tells_of_shutdown(line: Log) -> bool:
    """Return whether a line is a record of the shutdown and of no request."""
    record = _parsed(line.text)
    if record is None:
        return _says(line.text)
    if any(name.endswith(_IDS) for name, value in _walk(record) if _is_id(value)):
        return False
    texts = [str(value) for name, value in _walk(record) if name in _MESSAGES]
    return any(map(_says, texts))


def _says(text: str) -> bool:
    words = _JOINT.sub(" ", text)
    return bool(_TELLS.search(words)) and not _OF_A_REQUEST.search(words)


def _is_id(value: Any) -> bool:
    """Return whether a value names a request; records of none may hold a placeholder, such as `-` or `startup`."""
    text = str(value)
    return (
        isinstance(value, str | int)
        and len(text) >= _MIN_ID_LENGTH
        and any(char.isdigit() for char in text)
        and bool(set(text) - {"0", "-", "x"})
    )


def _parsed(text: str) -> dict[str, Any] | None:
    try:
        record = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None


def _walk(record: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield fields by their path, in lower-case letters and digits alone: `http.request.id` is `httprequestid`."""
    level = [("", record)]
    for _ in range(_DEPTH):
        inner: list[tuple[str, dict[str, Any]]] = []
        for path, fields in level:
            for name, value in fields.items():
                plain = "".join(char for char in name.lower() if char.isalnum())
                yield plain, value
                if path:
                    yield path + plain, value
                if isinstance(value, dict):
                    inner.append((path + plain, value))
        level = inner
