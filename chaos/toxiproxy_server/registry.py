"""All proxies of a server, by name."""

from dataclasses import dataclass
from typing import Any

from chaos.toxiproxy_server import errors
from chaos.toxiproxy_server.metrics import Metrics
from chaos.toxiproxy_server.proxy import Proxy


@dataclass(frozen=True, slots=True)
class ProxySpec:
    """A proxy that is asked for."""

    name: str
    listen: str
    upstream: str
    enabled: bool


class Registry:
    """Changes must not be made from two tasks at once."""

    def __init__(self, *, seed: int, metrics: Metrics) -> None:
        self._seed = seed
        self._metrics = metrics
        self._proxies: dict[str, Proxy] = {}

    def get(self, name: str) -> Proxy:
        """The proxy of that name; raises ApiError where there is none."""
        try:
            return self._proxies[name]
        except KeyError:
            raise errors.proxy_not_found() from None

    async def add(self, spec: ProxySpec) -> Proxy:
        """Make a proxy, and start it if so specified; raises ApiError where the name or the address is taken."""
        if spec.name in self._proxies:
            raise errors.proxy_exists()
        return await self._make(spec)

    async def add_or_replace(self, spec: ProxySpec) -> Proxy:
        """Leave the proxy of that name as it is if its addresses are the same, else put a new one in its place."""
        existing = self._proxies.get(spec.name)
        if existing is not None:
            if not await existing.differs(spec.listen, spec.upstream):
                return existing
            await existing.stop()
        return await self._make(spec)

    async def remove(self, name: str) -> None:
        """Close the proxy of that name with all its connections; raises ApiError where there is none."""
        await self.get(name).stop()
        del self._proxies[name]

    async def reset(self) -> None:
        """Start every proxy, without toxics; stops at the first that cannot be started, with ApiError."""
        for proxy in self._proxies.values():
            await proxy.start()
            await proxy.remove_toxics()

    async def stop(self) -> None:
        """Close everything."""
        for proxy in self._proxies.values():
            await proxy.stop()

    def documents(self) -> dict[str, dict[str, Any]]:
        """As the API shows them."""
        return {name: proxy.document() for name, proxy in sorted(self._proxies.items())}

    async def _make(self, spec: ProxySpec) -> Proxy:
        proxy = Proxy(spec.name, spec.listen, spec.upstream, seed=self._seed, metrics=self._metrics)
        if spec.enabled:
            await proxy.start()
        self._proxies[spec.name] = proxy
        return proxy
