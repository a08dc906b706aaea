"""A proxy: an address to listen on, an upstream to connect to, and toxics in between."""

import asyncio
import logging
from functools import partial
from typing import Any

from chaos.toxiproxy_server import address, errors
from chaos.toxiproxy_server.connection import Connection
from chaos.toxiproxy_server.endpoint import Endpoint
from chaos.toxiproxy_server.link import Link
from chaos.toxiproxy_server.metrics import Labels, Metrics, Traffic
from chaos.toxiproxy_server.toxic import Direction, Toxic

logger = logging.getLogger(__name__)


class Proxy:
    """Born stopped. Changes must not be made from two tasks at once.

    `seed` decides what befalls each connection, in the order in which they are accepted.
    """

    def __init__(self, name: str, listen: str, upstream: str, *, seed: int, metrics: Metrics) -> None:
        self.name = name
        self.listen = listen
        self.upstream = upstream
        self.enabled = False
        self.toxics: list[Toxic] = []
        self._seed = seed
        self._metrics = metrics
        self._listener: asyncio.Server | None = None
        self._epoch = 0
        self._accepted = 0
        self._connections: set[Connection] = set()

    async def start(self) -> None:
        """Listen, and say in `listen` where; raises ApiError where that cannot be."""
        if self.enabled:
            return
        sock = address.bind(*await address.resolve(self.listen))
        self._epoch += 1
        self._listener = await asyncio.get_running_loop().create_server(
            partial(Endpoint, partial(self._accept, self._epoch)), sock=sock, backlog=address.BACKLOG
        )
        self.listen = address.join(*sock.getsockname()[:2])
        self.enabled = True
        logger.info("proxy %s listens on %s for %s", self.name, self.listen, self.upstream)

    async def stop(self) -> None:
        """Refuse new connections, and close those that there are; returns once they are closed."""
        self.enabled = False
        self._epoch += 1
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        await asyncio.gather(*(connection.close() for connection in self._connections))

    async def update(self, *, listen: str, upstream: str, enabled: bool) -> None:
        """Restart where the address or the upstream is another one, else only start or stop; toxics stay."""
        if await self.differs(listen, upstream):
            await self.stop()
            self.listen = listen
            self.upstream = upstream
        if enabled:
            await self.start()
        else:
            await self.stop()

    async def differs(self, listen: str, upstream: str) -> bool:
        """Whether these are other addresses: `localhost` is no other than 127.0.0.1. Raises ApiError for none."""
        return self.upstream != upstream or self.listen != address.join(*await address.resolve(listen))

    def toxic(self, name: str) -> Toxic:
        """The toxic of that name; raises ApiError where there is none."""
        for toxic in self.toxics:
            if toxic.name == name:
                return toxic
        raise errors.toxic_not_found()

    def add_toxic(self, toxic: Toxic) -> None:
        """Put a toxic at the end of its chain, on living connections as well; raises ApiError if its name is taken."""
        if any(toxic.name == other.name for other in self.toxics):
            raise errors.toxic_exists()
        self.toxics.append(toxic)
        for link in self._links(toxic.direction):
            link.add(toxic)

    async def update_toxic(self, toxic: Toxic) -> None:
        """Replace the toxic of the same name everywhere."""
        self.toxics[self.toxics.index(self.toxic(toxic.name))] = toxic
        await asyncio.gather(*(link.update(toxic) for link in self._links(toxic.direction)))

    async def remove_toxic(self, name: str) -> None:
        """Take a toxic out; raises ApiError where there is none of that name."""
        toxic = self.toxic(name)
        self.toxics.remove(toxic)
        await asyncio.gather(*(link.remove(name) for link in self._links(toxic.direction)))

    async def remove_toxics(self) -> None:
        for toxic in self.toxics.copy():
            await self.remove_toxic(toxic.name)

    def chain(self, direction: Direction) -> list[Toxic]:
        """The toxics that bytes meet on that way, in that order."""
        return [toxic for toxic in self.toxics if toxic.direction is direction]

    def document(self) -> dict[str, Any]:
        """As the API shows it."""
        return {
            "name": self.name,
            "listen": self.listen,
            "upstream": self.upstream,
            "enabled": self.enabled,
            "toxics": self.toxic_documents(),
        }

    def toxic_documents(self) -> list[dict[str, Any]]:
        """As the API shows them: those of the upstream chain first."""
        return [toxic.document() for direction in Direction for toxic in self.chain(direction)]

    def traffic(self) -> dict[Direction, Traffic]:
        """The counters for connections that are made now."""
        return {
            direction: self._metrics.traffic(Labels(direction, self.listen, self.name, self.upstream))
            for direction in Direction
        }

    def _links(self, direction: Direction) -> list[Link]:
        return [connection.links[direction] for connection in self._connections]

    def _accept(self, epoch: int, client: Endpoint) -> None:
        if epoch != self._epoch:  # the listener closed while the event loop was about to hand this one over
            client.abort()
            return
        self._accepted += 1
        connection = Connection(client, self, key=f"{self._seed}/{self.name}/{self._accepted}")
        self._connections.add(connection)
        connection.task.add_done_callback(lambda _: self._connections.discard(connection))
