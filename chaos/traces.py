"""What makes a trace the trace of a request: it holds the prompt, the answer, the model and the token counts.

Traces come in any format: spans as protobuf or JSON, runs that are logged piece by piece, lines, rows or files that the
service keeps, compressed or not. So nothing is parsed. What one document holds is looked up in its bytes, and documents
that name the same run or trace are read together.
"""

import bz2
import itertools
import lzma
import re
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from chaos.history import TRACE_PARTS, Answer, Call, History, Reply, Request, Trace, TracePart
from chaos.keys import answer_code, find_answer_codes, find_keys

MAX_BYTES = 32 * 1024 * 1024
"""Content is read so far, also where it grows out of a compressed file."""
MAX_DOCUMENTS = 20_000
"""Documents that are remembered in one place."""
MAX_IDS = 200
"""Identifiers that are remembered of one document."""
MAX_RELATED = 500
"""Documents that are read together, for one name of a run."""
MAX_MENTIONS = 1_000
"""Documents about one request that are tried as its trace."""
MAX_NUMBERS = 100_000
_LARGEST_COUNT = 99_999

_ID = re.compile(
    rb"(?<![0-9a-f])(?:[0-9a-f]{32}|[0-9a-f]{16}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(?![0-9a-f])",
    re.IGNORECASE,
)
_NAMED_ID = re.compile(
    rb"""(?:trace|run|span|request|correlation|generation)[_-]?id\\*["']?\s*[:=]\s*\\*["']?(?=[a-z_.-]*\d)([\w.-]{4,64})""",
    re.IGNORECASE,
)
_NUMBER = re.compile(rb"(?<![\w.])(?<!\d[:-])(\d{1,5})(?:\.0+)?(?![\w]|[.:-]\d)")
"""A number by itself: no part of a time, a date, a fraction or a word."""
_COUNTED = re.compile(r'token\w{0,20}"\s*:\s*(\d{1,5})\b')
_PROTOBUF_INT = re.compile(rb"\x18([\x80-\xff]{0,2}[\x00-\x7f])")
_PROTOBUF_TRACE_ID = re.compile(rb"\x0a\x10(.{16})", re.DOTALL)
"""The fields `int_value` of an OTLP attribute and `trace_id` of a span."""
_NOT_TEXT = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_ZIP = b"PK\x03\x04"
_ZIP_HEADER = 30
_ZIP_MEMBERS = 100
_PIECE = 64 * 1024
_XZ_MEMORY = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Generation:
    """What the trace of one request is about. `counts` are sets of numbers, any of which tells its tokens."""

    key: str
    models: frozenset[str] = frozenset()
    counts: tuple[frozenset[int], ...] = ()


@dataclass(frozen=True, slots=True)
class Document:
    """What one span export, run entry, line or file holds. In a binary file counts may stand in a form of its own."""

    keys: frozenset[str]
    codes: frozenset[str]
    models: frozenset[str]
    numbers: frozenset[int]
    ids: frozenset[str]
    hides_counts: bool = False

    def is_about(self, key: str) -> bool:
        return key in self.keys or answer_code(key) in self.codes


def is_complete(trace: Trace) -> bool:
    """Return whether a trace holds all that makes it one."""
    return set(trace.holds) == set(TRACE_PARTS)


def generations(history: History) -> dict[str, Generation]:
    """Return what the model was asked and counted for every prompt, by its key."""
    models: dict[str, set[str]] = defaultdict(set)
    counts: dict[str, set[frozenset[int]]] = defaultdict(set)
    calls = {call.call: call for call in history.of(Call) if call.key}
    for call in calls.values():
        if call.model:
            models[call.key or ""].add(call.model)
    for reply in history.of(Reply):
        if reply.usage and (asked := calls.get(reply.call)):
            counts[asked.key or ""] |= {frozenset(reply.usage), frozenset({sum(reply.usage)})}
    requests = {request.request: request.key for request in history.of(Request) if request.key}
    for answer in history.of(Answer):
        if (key := requests.get(answer.request)) and (told := _COUNTED.findall(answer.body)):
            # A service may count by itself; then its trace has what it has told its client.
            counts[key].add(frozenset(map(int, told)))
    return {
        key: Generation(key, frozenset(models[key]), tuple(counts[key]))
        for key in {*requests.values(), *models}
    }


def documents(
    content: bytes, models: Iterable[str], *, name: str = "", is_file: bool = False
) -> list[Document]:
    """Return what the documents in `content`, which is not compressed, hold: one for each line of JSON, else one in all.

    `name` is the content's path, which may say what run or trace it belongs to.
    """
    ids = _ids(name.encode())
    return [_document(part, models, ids, is_file=is_file) for part in _split(content)]


def names_a_run(path: str) -> bool:
    """Return whether a path says what run or trace a file belongs to: tracking tools keep a folder for each."""
    return bool(_ID.search(path.encode()))


class TraceBook:
    """What is known of traces in one place, such as MLflow."""

    def __init__(self) -> None:
        self._documents: list[Document] = []
        self._by_id: dict[str, list[Document]] = defaultdict(list)

    def add(self, document: Document) -> None:
        if len(self._documents) >= MAX_DOCUMENTS:
            return
        self._documents.append(document)
        for name in document.ids:
            if len(self._by_id[name]) < MAX_RELATED:
                self._by_id[name].append(document)

    def nonces_about(self, document: Document) -> set[str]:
        """Return the keys, and the codes of answers, in a document and in those that name the same run."""
        return {found for one in self._related(document) for found in (*one.keys, *one.codes)}

    def holds(self, generation: Generation) -> tuple[TracePart, ...]:
        """Return the most that a trace of this request holds here."""
        own = (document for document in self._documents if document.is_about(generation.key))
        most: tuple[TracePart, ...] = ()
        for document in itertools.islice(own, MAX_MENTIONS):
            most = max(most, _parts(self._related(document), generation), key=len)
            if most == TRACE_PARTS:
                break
        return most

    def _related(self, document: Document) -> list[Document]:
        return [document, *(one for name in document.ids for one in self._by_id[name] if one is not document)]


def decompressed(content: bytes, most: int = MAX_BYTES) -> bytes:
    """Return content without its compression (gzip, zlib, bzip2, xz, zip), as far as it is whole, `most` bytes of it."""
    if content.startswith(_ZIP):
        return b"\n".join([content, *_unzipped(content, most)])[:most]
    for magic, make in _COMPRESSIONS.items():
        if content.startswith(magic):
            return b"".join(_inflated(content, make, most)) or content
    return content


def _inflated(content: bytes, make: Callable[[], "_Decompressor"], most: int) -> Iterator[bytes]:
    """Yield what a compressed file holds; whoever appends to one adds another member."""
    left, start = most, 0
    for _ in range(MAX_DOCUMENTS):
        inflate = make()
        while not inflate.eof and start < len(content) and left > 0:
            piece = content[start : start + _PIECE]
            try:
                part = inflate.decompress(piece, left)
            except (zlib.error, lzma.LZMAError, OSError, EOFError):
                return
            yield part
            left -= len(part)
            start += len(piece) - len(inflate.unused_data)
        if not inflate.eof:
            return


def _unzipped(content: bytes, most: int) -> Iterator[bytes]:
    """Yield the members of a zip file, found by their own headers: the directory is written at the very end."""
    start, left = 0, most
    for _ in range(_ZIP_MEMBERS):
        if left <= 0 or (start := content.find(_ZIP, start)) < 0:
            return
        names, extra = (int.from_bytes(content[start + at : start + at + 2], "little") for at in (26, 28))
        for part in _inflated(content[start + _ZIP_HEADER + names + extra :], _raw_deflate, left):
            left -= len(part)
            yield part
        start += len(_ZIP)


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


def _zlib_or_gzip() -> _Decompressor:
    return zlib.decompressobj(zlib.MAX_WBITS | 32)


def _raw_deflate() -> _Decompressor:
    return zlib.decompressobj(-zlib.MAX_WBITS)


def _xz() -> _Decompressor:
    return lzma.LZMADecompressor(memlimit=_XZ_MEMORY)


_COMPRESSIONS: Mapping[bytes, Callable[[], _Decompressor]] = {
    b"\x1f\x8b": _zlib_or_gzip,
    b"\x78\x01": _zlib_or_gzip,
    b"\x78\x5e": _zlib_or_gzip,
    b"\x78\x9c": _zlib_or_gzip,
    b"\x78\xda": _zlib_or_gzip,
    b"BZh": bz2.BZ2Decompressor,
    b"\xfd7zXZ\x00": _xz,
}


def _split(content: bytes) -> list[bytes]:
    """Return the lines of JSON Lines, and other content in one piece."""
    lines = [line for line in map(bytes.strip, content.splitlines()) if line]
    if len(lines) > 1 and all(line[:1] in b"{[" and line[-1:] in b"}]" for line in lines[:-1]):
        return lines if len(lines) <= MAX_DOCUMENTS else [content]
    return [content]


def _document(content: bytes, models: Iterable[str], ids: frozenset[str], *, is_file: bool) -> Document:
    binary = bool(_NOT_TEXT.search(content))
    numbers = {int(found[1]) for found in itertools.islice(_NUMBER.finditer(content), MAX_NUMBERS)}
    found_ids = ids | _ids(content)
    if binary:
        varints = itertools.islice(_PROTOBUF_INT.finditer(content), MAX_NUMBERS)
        numbers |= {_varint(found[1]) for found in varints}
        spans = itertools.islice(_PROTOBUF_TRACE_ID.finditer(content), MAX_IDS)
        found_ids |= {found[1].hex() for found in spans}
    return Document(
        keys=frozenset(find_keys(content)),
        codes=frozenset(find_answer_codes(content)),
        models=frozenset(model for model in models if model.encode() in content),
        numbers=frozenset(numbers),
        ids=found_ids,
        hides_counts=binary and is_file,
    )


def _ids(content: bytes) -> frozenset[str]:
    found: set[str] = set()
    matches = itertools.chain(_ID.finditer(content), _NAMED_ID.finditer(content))
    for match in itertools.islice(matches, MAX_IDS):
        found.add(match[match.lastindex or 0].decode(errors="replace").replace("-", "").lower())
    return frozenset(found)


def _varint(content: bytes) -> int:
    return min(_LARGEST_COUNT, sum((byte & 0x7F) << (7 * place) for place, byte in enumerate(content)))


def _parts(group: Iterable[Document], generation: Generation) -> tuple[TracePart, ...]:
    group = list(group)
    numbers = frozenset[int]().union(*(one.numbers for one in group))
    code = answer_code(generation.key)
    held: dict[TracePart, bool] = {
        "prompt": any(generation.key in one.keys for one in group),
        "answer": any(code in one.codes for one in group),
        "model": any(generation.models & one.models for one in group),
        "tokens": any(counts <= numbers for counts in generation.counts)
        or any(one.hides_counts for one in group),
    }
    return tuple(part for part, is_held in held.items() if is_held)
