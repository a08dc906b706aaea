"""Sockets in the file system, however long their paths are: the kernel takes about a hundred characters."""

import asyncio
import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_DESCRIPTORS: Final = Path("/proc/self/fd")


async def open_unix(path: Path) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect to a socket. Raises OSError if nobody listens there, or its path is too long for this system."""
    with short_path(path) as short:
        return await asyncio.open_unix_connection(short)


@contextlib.contextmanager
def short_path(path: Path) -> Iterator[Path]:
    """Return a short path to the same file, for as long as the context is entered; where there is none, the path itself.

    Raises OSError if there is no such folder.
    """
    if not _DESCRIPTORS.is_dir():
        yield path
        return
    folder = os.open(path.parent, os.O_PATH)
    try:
        yield _DESCRIPTORS / str(folder) / path.name
    finally:
        os.close(folder)
