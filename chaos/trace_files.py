"""Looks for traces in the files that a service wrote."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from chaos.files import MOST_BYTES, Version, small_files, versions
from chaos.history import Trace, TracePart
from chaos.keys import answer_code
from chaos.traces import MAX_BYTES, Generation, TraceBook, decompressed, documents, names_a_run

READ_BYTES: Final = 32 * 1024 * 1024
"""Of files that may be traces, read in one look: a small file can stand for a thousand times as much."""


class TraceFiles:
    """What is known of the traces in the files below `root`."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._found: dict[str, tuple[TracePart, ...]] = {}
        self._without: dict[str, Version] = {}

    def leave_out_present(self) -> None:
        """Do not look into the files that are there now, unless they change: a submission may have thousands."""
        self._without = versions(self._root)

    def look(self, known: Iterable[Generation]) -> list[Trace]:
        """Return what the files hold of these requests' traces, as far as that is news."""
        wanted = list(known)
        nonces = [nonce.encode() for one in wanted for nonce in (one.key, answer_code(one.key))]
        models = frozenset[str]().union(*(one.models for one in wanted))
        book = TraceBook()
        places: dict[str, str] = {}
        unpacked, read = MOST_BYTES, READ_BYTES
        for name, packed in small_files(self._root, MAX_BYTES, self._without):
            content = decompressed(packed, min(MAX_BYTES, unpacked))
            unpacked -= len(content) if content is not packed else 0
            if unpacked <= 0:
                break
            mentioned = any(nonce in content for nonce in nonces)
            if not mentioned and not names_a_run(name):
                continue
            if (read := read - len(content)) < 0:
                break
            for document in documents(content, models, name=name, is_file=True):
                book.add(document)
            if mentioned:
                places.update({one.key: name for one in wanted if _mentions(content, one)})
        return [trace for one in wanted if (trace := self._news(one, book, places.get(one.key, "")))]

    def _news(self, generation: Generation, book: TraceBook, place: str) -> Trace | None:
        holds = book.holds(generation)
        if not holds or self._found.get(generation.key) == holds:
            return None
        self._found[generation.key] = holds
        return Trace(key=generation.key, place="file", detail=place, holds=holds)


def _mentions(content: bytes, generation: Generation) -> bool:
    return generation.key.encode() in content or answer_code(generation.key).encode() in content
