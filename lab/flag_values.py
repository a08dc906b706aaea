"""What in a report could be the flag of a dependency: where it stands, how plainly it is named, what it says."""

import functools
import itertools
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chaos.history import Upstream

_FIELDS = (
    *(
        "healthy",
        "ishealthy",
        "ok",
        "isok",
        "up",
        "isup",
        "available",
        "isavailable",
        "connected",
        "isconnected",
    ),
    *("reachable", "isreachable", "alive", "isalive", "ready", "isready", "online", "success", "passed"),
    *(
        "status",
        "state",
        "health",
        "result",
        "availability",
        "connection",
        "connectivity",
        "reachability",
        "outcome",
    ),
    *(
        "verdict",
        "condition",
        "check",
        "value",
        "flag",
        "statuscode",
        "http",
        "httpstatus",
        "httpcode",
        "code",
        "etat",
        "statut",
    ),
)
_INVERTED = ("down", "isdown", "failed", "failing", "unhealthy", "unavailable", "unreachable", "broken")
_ERRORS = ("error", "errors", "failure", "exception", "lasterror", "reason")
_UP = re.compile(
    r"(healthy|ok(ay)?|up|working|live|pass(ed|ing)?|connected|reachable|available|alive|ready|success(ful)?|running|online"
    r"|operational|nominal|normal|responding|responsive|serving|active|green|good|fine|true|yes|on|sain|disponible|joignable|en ligne|actif|✅|✔️?|✓|🟢|👍)(?!\w)",
    re.IGNORECASE,
)
_DOWN = re.compile(
    r"(un(healthy|reachable|available|known|usable)|down|ko|nok|fail(ed|ing|ures?|s)?|err(or|ors)?|disconnected|offline"
    r"|time(d)?[ _-]?out|out[ _-]of[ _-]service|dead|degraded([ _-]performance)?|(partial|major|full|total)?[ _-]?outage|impaired|unresponsive|hanging|hung|sick|crit|interrupted"
    r"|warn(ing)?|critical|fatal|refused|inactive|stopped|broken|lost|red|yellow|bad|poor|can(not|'t| ?not)|could[ _-]?n[o']t|unable"
    r"|false|not?[ _-]\w+|no|off|hors|indisponible|injoignable|en panne|inactif|❌|✖️?|✗|🔴|🟠|🟡|👎)(?!\w)",
    re.IGNORECASE,
)
_TROUBLE = re.compile(
    r"(?<!no )(?<!0 )(error|exception|refus|time[d]?[ _-]?out|unreachable|unavailable|failed|échec)"
    r"|\b(returned|got|status|code)\W{1,3}(code\W{1,3})?[45]\d\d\b",
    re.IGNORECASE,
)
_TROUBLED = re.compile(r"(problem|issue|outage|trouble|missing|affected|impacted)s?(?!\w)", re.IGNORECASE)
"""What only the name of a group says of those in it."""
_GROUPED = re.compile(
    r"\b(services?|dependenc(y|ies)|components?|checks?|upstreams?|backends?|names?|list)\b", re.IGNORECASE
)
"""What stands beside that in the name of a group, and says nothing."""
_WORD_ENDS = re.compile(r"[\W_]+|(?<=[a-z])(?=[A-Z])")
_HTTP_STATUS = re.compile(r"(?:(?:http|status)\W*)?([1-5]\d\d)(?:\s+(?!m?s\b).*)?", re.IGNORECASE)
_ENTRY_NAMES = (
    *(
        "name",
        "service",
        "component",
        "componentname",
        "componentid",
        "dependency",
        "check",
        "target",
        "upstream",
    ),
    *("key", "title", "label", "id", "type", "alias", "checker", "resource", "probe", "system"),
)
"""What the name of an entry may stand under, besides all that ends in `name`."""
_MEMBER = re.compile(r"^[A-Z]\w*\.(?=[A-Za-z_]+$)")
"""The class in front of an enum's member, as Python writes it: `Status.UP`."""
_NAMED_VALUE = re.compile(r"\s*([\w .-]{1,60}?)\s*(?:[:=]|->|→)\s*(\S.*)")
# What may stand beside a dependency's name in the name of its flag; in other company it names something else.
_BESIDE = {
    *_FIELDS,
    *(
        "proxy",
        "gateway",
        "service",
        "server",
        "api",
        "db",
        "database",
        "store",
        "backend",
        "endpoint",
        "host",
        "client",
    ),
    *("vector", "vectors", "vectordb", "vectorstore", "tracking", "tracing", "trackingserver"),
}
# Frameworks put a whole report into one of these.
_WRAPPERS = {"detail", "error", "data", "report", "body"}
_DEPTH = 6
_MOST_ENTRIES = 2_000

Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Candidate:
    """What could be a dependency's flag; the smaller its `rank`, the more plainly it is that."""

    path: Path
    rank: tuple[int, ...]
    healthy: bool


def candidates(
    body: str, names: Mapping[Upstream, tuple[str, ...]]
) -> Mapping[Upstream, Sequence[Candidate]]:
    """Return what could be each dependency's flag in a report; the outer before the inner."""
    return _candidates(body, tuple(names.items()))


@functools.lru_cache(maxsize=256)  # several criteria read the same reports
def _candidates(
    body: str, names: tuple[tuple[Upstream, tuple[str, ...]], ...]
) -> Mapping[Upstream, Sequence[Candidate]]:
    try:
        report = json.loads(body)
    except (ValueError, RecursionError):
        report = body.splitlines()
    entries = list(itertools.islice(_entries(report, ()), _MOST_ENTRIES))
    return {upstream: tuple(_matching(entries, known)) for upstream, known in names}


def _matching(entries: list[tuple[Path, Any]], names: tuple[str, ...]) -> Iterator[Candidate]:
    for place, (path, value) in enumerate(entries):
        plainness = _plainness(path[-1], names)
        if plainness is None:
            continue
        inverted = any(_plain(path[-1]).endswith(word) for word in _INVERTED)
        for depth, (field, healthy) in enumerate(_readings(value, numbers=plainness[0] < 2)):
            flipped = inverted and not field and isinstance(value, bool)
            rank = (plainness[0], plainness[1], 0 if not flipped else 1, place, depth)
            yield Candidate((*path, *field), rank, healthy is not flipped)


def _plainness(key: str, names: tuple[str, ...]) -> tuple[int, int] | None:
    plain = _plain(key)
    for preference, name in enumerate(names):
        if name in plain:
            rest = plain.replace(name, "", 1)
            return (0 if not rest else 1 if rest in _BESIDE else 2), preference
    return None


def _readings(value: Any, *, numbers: bool, depth: int = 0) -> Iterator[tuple[Path, bool]]:
    """Yield what a value says, with the path within it; of an object, what stands in fields that flags stand in."""
    if not isinstance(value, dict | list):
        if (healthy := _scalar(value, numbers=numbers)) is not None:
            yield (), healthy
        return
    if depth >= _DEPTH:
        return
    if isinstance(value, list):
        told = [
            next((healthy for _, healthy in _readings(one, numbers=False, depth=depth + 1)), None)
            for one in value[:50]
        ]
        if told and None not in told:
            yield (), all(told)
        return
    fields = {_plain(str(name)): one for name, one in value.items()}
    told_plainly = [
        ((name,), healthy)
        for name in _FIELDS
        if (healthy := _scalar(fields.get(name), numbers=True)) is not None
    ]
    yield from told_plainly
    if not told_plainly:
        yield from _otherwise(fields, depth)


def _otherwise(fields: dict[str, Any], depth: int) -> Iterator[tuple[Path, bool]]:
    """Yield what an object without a plain flag says: what it denies, what went wrong, or what else is legible in it."""
    denied = [((name,), not fields[name]) for name in _INVERTED if isinstance(fields.get(name), bool)]
    wrong = [
        ((name,), not fields[name]) for name in _ERRORS if isinstance(fields.get(name, 0), str | bool | None)
    ]
    if denied or wrong:
        yield from denied or wrong
        return
    for name, one in itertools.islice(fields.items(), 50):
        yield from (
            ((name, *path), healthy) for path, healthy in _readings(one, numbers=False, depth=depth + 1)
        )


def _scalar(value: Any, *, numbers: bool) -> bool | None:
    match value:
        case bool():
            return value
        case int() | float():
            return _number(value) if numbers else None
        case str():
            return _word(value.strip()[:200])
        case _:
            return None


def _number(value: float) -> bool | None:
    """Return what a status or one of 0 and 1 says."""
    if value in {0, 1}:
        return bool(value)
    return 200 <= value < 300 if isinstance(value, int) and 100 <= value < 600 else None


def _word(text: str) -> bool | None:
    text = _MEMBER.sub("", text)
    if text in {"0", "1"}:
        return text == "1"
    if status := _HTTP_STATUS.fullmatch(text):
        return status[1].startswith("2")
    if _DOWN.match(text):
        return False
    if _UP.match(text):
        return True
    return False if _TROUBLE.search(text) else None


def _entries(value: Any, path: Path, depth: int = 0) -> Iterator[tuple[Path, Any]]:
    """Yield everything that has a name, with the path to it, the outer before the inner."""
    if depth > _DEPTH:
        return
    inner: list[tuple[Path, Any]] = []
    if isinstance(value, dict):
        for key, one in value.items():
            yield from _with_group(path, str(key), one)
        inner = [(_below(path, str(key)), one) for key, one in value.items()]
    elif isinstance(value, list):
        yield from (named for one in value for named in _named(path, one))
        inner = [(path, one) for one in value]
    for below, one in inner:
        yield from _entries(one, below, depth + 1)


def _named(path: Path, entry: Any) -> Iterator[tuple[Path, Any]]:
    """Yield what an entry of a list says of whom: an object with a name, `qdrant: ok`, or a name in a list of `healthy`."""
    match entry:
        case dict():
            fields = {_plain(str(name)): one for name, one in entry.items()}
            others = [name for name in fields if name.endswith("name") and name not in _ENTRY_NAMES]
            for name in (*_ENTRY_NAMES, *others):
                if isinstance(fields.get(name), str):
                    rest = {key: one for key, one in entry.items() if _plain(str(key)) != name}
                    yield from _with_group(path, fields[name], rest)
        case str() if named := _NAMED_VALUE.fullmatch(entry[:300]):
            yield _below(path, named[1]), named[2]
        case str() if (healthy := _group(path)) is not None:
            yield _below(path, entry), healthy
        case [str() as name, one]:
            yield _below(path, name), one


def _with_group(path: Path, name: str, value: Any) -> Iterator[tuple[Path, Any]]:
    """Yield what stands under a name; where that says nothing, and the name is one of the `healthy`, what these are."""
    yield _below(path, name), value
    healthy = _group(path)
    if healthy is None or any(True for _ in _readings(value, numbers=True)):
        return
    # What has no error is well.
    absent = value is None
    if not (absent and healthy):
        yield _below(path, name), healthy is not absent


def _group(path: Path) -> bool | None:
    """Return what the name of the group that something stands in says of it: `down`, `healthy_services`."""
    if not path:
        return None
    told = " ".join(_GROUPED.sub(" ", _WORD_ENDS.sub(" ", path[-1])).split())
    return False if _TROUBLED.match(told) else _word(told)


def _below(path: Path, key: str) -> Path:
    """Return the path of a key, without what frameworks put around a report."""
    return (*(part for part in path if part.lower() not in _WRAPPERS), key)


@functools.lru_cache(maxsize=4096)
def _plain(key: str) -> str:
    return re.sub(r"\W|_", "", key.lower())
