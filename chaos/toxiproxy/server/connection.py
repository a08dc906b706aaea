"""A client's connection and the one that was made to the upstream for it."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Protocol

from chaos.toxiproxy.server.dial import dial
from chaos.toxiproxy.server.endpoint import Endpoint
from chaos.toxiproxy.server.link import Link
from chaos.toxiproxy.server.metrics import Traffic
from chaos.toxiproxy.server.toxic import Direction, Toxic

logger = logging.getLogger(__name__)


class Route(Protocol):
    """What a connection needs to know of its proxy."""

    @property
    def upstream(self) -> str: ...

    def chain(self, direction: Direction) -> Sequence[Toxic]: ...

    def traffic(self) -> Mapping[Direction, Traffic]: ...


class Connection:
    """Two endpoints, and a link each way once both are there. It begins to dial at once.

    `key` tells this connection from all others, the same in every run with the same seed. `task` ends when both
    sockets are closed.
    """

    def __init__(self, client: Endpoint, route: Route, *, key: str) -> None:
        self.links: dict[Direction, Link] = {}
        self._endpoints = [client]
        self._key = key
        self.task = asyncio.create_task(self._run(client, route))

    async def close(self) -> None:
        """Close both sockets, whatever is unsent; returns when that is done."""
        self.task.cancel()
        await asyncio.wait([self.task])
        self._discard()
        await self._closed()

    async def _run(self, client: Endpoint, route: Route) -> None:
        try:
            server = await dial(route.upstream)
        except OSError as exc:
            logger.info("no upstream %s: %s", route.upstream, exc)
            client.abort()
        else:
            self._endpoints.append(server)
            self._join(client, server, route)
        await self._closed()
        self._discard()

    def _join(self, client: Endpoint, server: Endpoint, route: Route) -> None:
        traffic = route.traffic()
        for direction, source, sink in (
            (Direction.UPSTREAM, client, server),
            (Direction.DOWNSTREAM, server, client),
        ):
            source.inbound = sink.outbound = traffic[direction]
            self.links[direction] = Link(
                source,
                sink,
                route.chain(direction),
                key=f"{self._key}/{direction}",
                reset=self._close_with_reset,
            )

    def _close_with_reset(self) -> None:
        for endpoint in self._endpoints:
            endpoint.close_with_reset()

    def _discard(self) -> None:
        for link in self.links.values():
            link.discard()
        for endpoint in self._endpoints:
            endpoint.abort()

    async def _closed(self) -> None:
        for endpoint in self._endpoints:
            await endpoint.closed.wait()
