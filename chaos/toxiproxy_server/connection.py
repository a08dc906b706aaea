"""A client's connection and the one that was made to the upstream for it."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Protocol

from chaos.toxiproxy_server.dial import dial
from chaos.toxiproxy_server.endpoint import Endpoint
from chaos.toxiproxy_server.link import Link
from chaos.toxiproxy_server.metrics import Traffic
from chaos.toxiproxy_server.toxic import Direction, Toxic

logger = logging.getLogger(__name__)


class Route(Protocol):
    """What a connection needs to know of its proxy."""

    @property
    def upstream(self) -> str: ...

    def chain(self, direction: Direction) -> Sequence[Toxic]: ...

    def traffic(self) -> Mapping[Direction, Traffic]: ...


class Connection:
    """Two endpoints, and a link each way. It begins to dial at once, and counts as a connection from then on.

    `key` tells this connection from all others, the same in every run with the same seed. `task` ends when both
    sockets are closed.
    """

    def __init__(self, client: Endpoint, route: Route, *, key: str) -> None:
        self.links: dict[Direction, Link] = {}
        self._client = client
        self._server = Endpoint()
        traffic = route.traffic()
        for direction, source, sink in (
            (Direction.UPSTREAM, self._client, self._server),
            (Direction.DOWNSTREAM, self._server, self._client),
        ):
            source.inbound = sink.outbound = traffic[direction]
            self.links[direction] = Link(
                source, sink, route.chain(direction), key=f"{key}/{direction}", reset=self._close_with_reset
            )
        self.task = asyncio.create_task(self._run(route.upstream))

    async def close(self) -> None:
        """Close both sockets, whatever is unsent; returns when that is done."""
        self.task.cancel()
        await asyncio.wait([self.task])
        self._discard()
        await self._closed()

    async def _run(self, upstream: str) -> None:
        try:
            await dial(upstream, self._server)
        except OSError as exc:
            logger.info("no upstream %s: %s", upstream, exc)
            self._client.abort()
        else:
            for link in self.links.values():
                link.start()
        await self._closed()
        self._discard()

    def _close_with_reset(self) -> None:
        self._client.close_with_reset()
        self._server.close_with_reset()

    def _discard(self) -> None:
        for link in self.links.values():
            link.discard()
        self._client.abort()
        self._server.abort()

    async def _closed(self) -> None:
        await self._client.closed.wait()
        await self._server.closed.wait()
