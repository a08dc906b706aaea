"""`host:port` texts, as Toxiproxy writes them, and the sockets behind them."""

import asyncio
import errno
import os
import socket
from typing import Final

from chaos.toxiproxy_server import errors

RESOLVE_SECONDS: Final = 2.0
"""A name that resolves more slowly counts as unknown: changes wait for one another."""

BACKLOG: Final = 1024


def split(address: str) -> tuple[str, str]:
    """The host and the port; raises ValueError with what is wrong."""
    host, colon, port = address.rpartition(":")
    if not colon:
        raise ValueError(f"address {address}: missing port in address")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise ValueError(f"address {address}: too many colons in address")
    if port.isdecimal() and int(port) > 65535:
        raise ValueError(f"address {port}: invalid port")
    return host, port


def join(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


async def resolve(listen: str) -> tuple[str, int]:
    """The IP address and the port to bind for `listen`; without a host, the address that stands for all.

    Raises ApiError, as Toxiproxy does where it cannot listen there.
    """
    try:
        host, port = split(listen or ":0")
    except ValueError as exc:
        raise errors.cannot_listen(f": {exc}") from exc
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(RESOLVE_SECONDS):
            found = await loop.getaddrinfo(
                host or None, port or "0", type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )
    except (TimeoutError, OSError, UnicodeError) as exc:
        raise errors.cannot_listen(f": lookup {host}: no such host") from exc
    if not host:
        return "::" if socket.has_dualstack_ipv6() else "0.0.0.0", int(found[0][4][1])  # noqa: S104 (asked for)
    # IPv4 first, as Toxiproxy does: `localhost` is 127.0.0.1.
    found.sort(key=lambda info: info[0] != socket.AF_INET)
    return str(found[0][4][0]), int(found[0][4][1])


def bind(host: str, port: int) -> socket.socket:
    """A listening socket; raises ApiError where the address cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Naming the protocol matters: asyncio disables Nagle's algorithm only on sockets that say they are TCP.
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if host == "::":
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        sock.bind((host, port))
        sock.listen(BACKLOG)
    except OSError as exc:
        sock.close()
        reason = os.strerror(exc.errno or errno.EINVAL).lower()
        raise errors.cannot_listen(f" {join(host, port)}: bind: {reason}") from exc
    return sock
