"""Which server a TLS connection is for, as its client says at the beginning."""

import asyncio
from typing import Final

_HEADER_BYTES: Final = 5
_MOST_BYTES: Final = 2**14
_HANDSHAKE: Final = 22
_CLIENT_HELLO: Final = 1
_SERVER_NAME: Final = 0
_ENCRYPTED_CLIENT_HELLO: Final = 0xFE0D
_HOST_NAME: Final = 0


async def read_record(reader: asyncio.StreamReader) -> bytes:
    """Read the first TLS record. Raises ValueError if it is no part of a handshake, and IncompleteReadError."""
    header = await reader.readexactly(_HEADER_BYTES)
    size = int.from_bytes(header[3:])
    if header[0] != _HANDSHAKE or size > _MOST_BYTES:
        raise ValueError("no TLS handshake")
    return header + await reader.readexactly(size)


def server_name(record: bytes) -> str | None:
    """Return the server name in a record that holds a whole ClientHello; None if it has none.

    Raises ValueError if it cannot be read, is there twice, or may be another one that is encrypted.
    """
    message = _Bytes(record[_HEADER_BYTES:])
    if message.number(1) != _CLIENT_HELLO:
        raise ValueError("no ClientHello")
    hello = _Bytes(message.vector(3))
    hello.take(2 + 32)  # version and random
    for width in (1, 2, 1):  # session, cipher suites and compression methods
        hello.vector(width)
    extensions = _Bytes(hello.vector(2))
    found: dict[int, bytes] = {}
    while extensions.left:
        kind = extensions.number(2)
        if kind in found or kind == _ENCRYPTED_CLIENT_HELLO:
            raise ValueError(f"extension {kind}")
        found[kind] = extensions.vector(2)
    if _SERVER_NAME not in found:
        return None
    names = _Bytes(_Bytes(found[_SERVER_NAME]).vector(2))
    kind, name = names.number(1), names.vector(2)
    if kind != _HOST_NAME or names.left:
        raise ValueError("more than a host name")
    return name.decode("ascii")


class _Bytes:
    """Reads numbers and vectors off the front of bytes. Raises ValueError where they end too early."""

    def __init__(self, data: bytes) -> None:
        self.left = data

    def take(self, size: int) -> bytes:
        if size > len(self.left):
            raise ValueError("it ends too early")
        taken, self.left = self.left[:size], self.left[size:]
        return taken

    def number(self, width: int) -> int:
        return int.from_bytes(self.take(width))

    def vector(self, width: int) -> bytes:
        """Return what a length of `width` bytes stands before."""
        return self.take(self.number(width))
