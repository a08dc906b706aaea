"""Connecting to an upstream."""

import asyncio

from chaos.toxiproxy_server import address
from chaos.toxiproxy_server.endpoint import Endpoint


async def dial(upstream: str, endpoint: Endpoint) -> None:
    """Connect `endpoint` to `upstream`, for as long as the kernel tries; raises OSError where that fails."""
    try:
        host, port = address.split(upstream)
        await asyncio.get_running_loop().create_connection(lambda: endpoint, host or "localhost", int(port))
    except ValueError as exc:  # no address, or a name that cannot be one
        raise OSError(f"dial tcp: {exc}") from exc
    if endpoint.is_connected_to_itself():
        endpoint.abort()
        raise ConnectionRefusedError(f"nobody listens on {upstream}")
