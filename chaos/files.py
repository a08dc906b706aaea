"""Reads files below a folder that a hostile program writes to: whatever it makes of it, this ends and stays inside."""

import contextlib
import itertools
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

MOST_ENTRIES: Final = 70_000
"""Files and folders that are looked at: a submission has 50,000 at most, a service that writes down its traces a few."""
MOST_DEPTH: Final = 32
MOST_BYTES: Final = 256 * 2**20
"""Read in one go through a folder."""


Version = tuple[int, int]
"""A file's inode, and when it last changed in nanoseconds, which no program can set."""


def versions(root: Path) -> dict[str, Version]:
    """Return what there is of files below `root`, by their names relative to it, within the bounds above."""
    return {
        _name(place, name): _version(found)
        for place, folder, names in _walk(root)
        for name in names
        if (found := _stat(name, folder))
    }


def small_files(
    root: Path, most: int, without: Mapping[str, Version] | None = None
) -> Iterator[tuple[str, bytes]]:
    """Yield the files of at most `most` bytes below `root`, by their names relative to it, within the bounds above.

    Those that still are of the version that `without` has for their name are left out. No link is followed, and nothing
    but a regular file is opened, even if the program swaps one for the other meanwhile.
    """
    left, known = MOST_BYTES, without or {}
    for place, folder, names in _walk(root):
        for name in names:
            inner = _name(place, name)
            content = _read(name, folder, most, known.get(inner))
            if content is None:
                continue
            left -= len(content)
            if left < 0:
                return
            yield inner, content


def _walk(root: Path) -> Iterator[tuple[str, int, list[str]]]:
    """Yield each folder's place relative to `root`, its descriptor, and its files by name."""
    entries = MOST_ENTRIES
    for path, folders, files, descriptor in os.fwalk(root, onerror=None, follow_symlinks=False):
        place = Path(path).relative_to(root)
        entries -= len(folders) + len(files)
        if entries < 0:
            return
        if len(place.parts) >= MOST_DEPTH:
            folders.clear()
        yield place.as_posix(), descriptor, sorted(files)


def _name(place: str, name: str) -> str:
    return name if place == "." else f"{place}/{name}"


def _stat(name: str, folder: int) -> os.stat_result | None:
    with contextlib.suppress(OSError):
        return os.stat(name, dir_fd=folder, follow_symlinks=False)
    return None


def _version(found: os.stat_result) -> Version:
    return found.st_ino, found.st_ctime_ns


def _read(name: str, folder: int, most: int, without: Version | None = None) -> bytes | None:
    """Return the content of a regular file in the open folder `folder`; None if it is something else or too large.

    Also None if it is of the version `without`.
    """
    with contextlib.suppress(OSError):
        before = _stat(name, folder)
        if before is None or not stat.S_ISREG(before.st_mode) or _version(before) == without:
            return None
        file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
        with os.fdopen(file, "rb") as opened:
            found = os.fstat(file)
            if stat.S_ISREG(found.st_mode) and found.st_size <= most:
                return opened.read(most)
    return None


def matching_files(root: Path, patterns: Iterable[str], most: int) -> Iterator[tuple[str, bytes]]:
    """Yield the files of at most `most` bytes below `root` that match a pattern such as `src/**/*.py`, by their names.

    No link is followed, not even one in place of a folder that a pattern names.
    """
    allowed = [pattern for pattern in patterns if not _leads_through_a_link(root, pattern)]
    for path in sorted({path for pattern in allowed for path in root.glob(pattern)}):
        inner = path.relative_to(root)
        with contextlib.suppress(OSError), _open_folder(root, inner.parent) as folder:
            content = _read(inner.name, folder, most)
            if content is not None:
                yield inner.as_posix(), content


def _leads_through_a_link(root: Path, pattern: str) -> bool:
    names = itertools.takewhile(lambda part: not set(part) & set("*?["), Path(pattern).parts)
    return any(
        folder.is_symlink()
        for folder in itertools.accumulate(names, Path.joinpath, initial=root)
        if folder != root
    )


@contextlib.contextmanager
def _open_folder(root: Path, path: Path) -> Iterator[int]:
    """Open the folder `path`, relative to `root`. Raises OSError where that would lead through a link."""
    with contextlib.ExitStack() as stack:
        folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        stack.callback(os.close, folder)
        for part in path.parts:
            folder = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
            stack.callback(os.close, folder)
        yield folder


def read_plain(root: Path, path: Path, most: int) -> bytes | None:
    """Return what the file `path`, relative to `root`, holds; None where it is no plain file, or too large.

    A submission's process may have written it. Raises OSError where the way to it leads through a link.
    """
    with _open_folder(root, path.parent) as folder:
        return _read(path.name, folder, most)


def replace_text(root: Path, path: Path, text: str) -> None:
    """Write a text into the file `path`, as `replace_file` does."""
    replace_file(root, path, text.encode("utf-8"))


def replace_file(root: Path, path: Path, content: bytes) -> None:
    """Write the file `path`, relative to `root`, anew. Raises OSError where that would lead through a link."""
    with _open_folder(root, path.parent) as folder:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path.name, dir_fd=folder)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        file = os.open(path.name, flags, 0o644, dir_fd=folder)
        with os.fdopen(file, "wb") as opened:
            opened.write(content)
