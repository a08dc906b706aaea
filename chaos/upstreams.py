"""The three upstreams of one experiment, each a stand-in behind a fault proxy of its own."""

import asyncio
import contextlib
from types import TracebackType
from typing import Self

from chaos.blackhole import Blackhole
from chaos.history import Fault, Probe, Upstream
from chaos.llm import ScriptedLLM
from chaos.mlflow import MlflowStandIn
from chaos.ports import free_port
from chaos.qdrant import QdrantStandIn
from chaos.recorder import Recorder
from chaos.toxiproxy.client import Toxiproxy, ToxiproxyError
from chaos.toxiproxy.models import Proxy, Stream

HOST = "127.0.0.1"
PORT_TRIES = 5


class Upstreams:
    """Stand-ins and their proxies, from entering to leaving the context.

    A fault is what the service meets on the way to an upstream (`refuse`, `blackhole`, `toxic`); what the model
    itself does wrong is a script of `llm`. Every fault is recorded when it has taken effect.
    """

    def __init__(self, name: str, toxiproxy: Toxiproxy, recorder: Recorder) -> None:
        self.llm = ScriptedLLM(recorder)
        self.qdrant = QdrantStandIn(recorder)
        self.mlflow = MlflowStandIn(recorder)
        self._name = name
        self._toxiproxy = toxiproxy
        self._recorder = recorder
        self._proxies: dict[Upstream, Proxy] = {}
        self._blackholes: dict[Upstream, Blackhole] = {}
        self._stack = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with contextlib.AsyncExitStack() as stack:
            ports: dict[Upstream, int] = {}
            for upstream in (self.llm, self.qdrant, self.mlflow):
                await stack.enter_async_context(upstream)
                ports[upstream.name] = upstream.port
            for name, port in ports.items():
                proxy = await self._create_proxy(name, port)
                self._proxies[name] = proxy
                stack.push_async_callback(self._delete_proxy, proxy)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for blackhole in self._blackholes.values():
            blackhole.close()
        await self._stack.aclose()

    def url(self, upstream: Upstream) -> str:
        """Return the address that the service is given for an upstream: its proxy's."""
        return f"http://{self._proxies[upstream].listen}"

    async def refuse(self, upstream: Upstream) -> None:
        """Have connections to an upstream refused, and live ones closed, until `restore`."""
        await self._toxiproxy.update(self._proxies[upstream].name, enabled=False)
        await self._shown(upstream, Fault(name="refuse", upstream=upstream, on=True), "refused")

    async def blackhole(self, upstream: Upstream) -> None:
        """Have connections to an upstream neither accepted nor refused until `restore`; live ones are closed."""
        await self._toxiproxy.update(self._proxies[upstream].name, enabled=False)
        host, port = self._proxies[upstream].listen.rsplit(":", 1)
        self._blackholes[upstream] = Blackhole(host, int(port))
        self._blackholes[upstream].open()
        await self._shown(upstream, Fault(name="blackhole", upstream=upstream, on=True), "timeout")

    async def toxic(
        self, upstream: Upstream, kind: str, *, stream: Stream = "downstream", **attributes: int
    ) -> None:
        """Add a toxic to an upstream's proxy until `restore`; attributes in Toxiproxy's units (milliseconds, KB/s)."""
        await self._toxiproxy.add_toxic(self._proxies[upstream].name, kind, stream=stream, attributes=attributes)
        detail = f"{stream} {attributes}"
        self._recorder.record(Fault(name=kind, upstream=upstream, on=True, detail=detail))

    async def restore(self, upstream: Upstream) -> None:
        """End all faults of an upstream's proxy."""
        if blackhole := self._blackholes.pop(upstream, None):
            blackhole.close()
        name = self._proxies[upstream].name
        for toxic in await self._toxiproxy.toxics(name):
            await self._toxiproxy.remove_toxic(name, toxic.name)
        await self._toxiproxy.update(name, enabled=True)
        await self._shown(upstream, Fault(name="restore", upstream=upstream, on=False), "connected")

    async def check(self) -> None:
        """Raise ToxiproxyError where a proxy is gone: what the service met then was not what was recorded."""
        for proxy in self._proxies.values():
            await self._toxiproxy.get(proxy.name)

    async def _shown(self, upstream: Upstream, fault: Fault, outcome: str) -> None:
        """Record a fault with the lab's own look at what a client meets; raises OSError where it meets something else."""
        self._recorder.record(fault)
        seen = await self._probe(upstream)
        if seen != outcome:
            raise OSError(f"{fault.name} of {upstream} shows as '{seen}' instead of '{outcome}'")

    async def _probe(self, upstream: Upstream) -> str:
        host, port = self._proxies[upstream].listen.rsplit(":", 1)
        try:
            async with asyncio.timeout(0.5):
                _, writer = await asyncio.open_connection(host, int(port))
        except ConnectionRefusedError:
            return self._recorder.record(Probe(upstream=upstream, outcome="refused")).outcome
        except TimeoutError:
            return self._recorder.record(Probe(upstream=upstream, outcome="timeout")).outcome
        writer.close()
        return self._recorder.record(Probe(upstream=upstream, outcome="connected")).outcome

    async def _create_proxy(self, upstream: Upstream, port: int) -> Proxy:
        for attempt in range(1, PORT_TRIES + 1):
            try:
                return await self._toxiproxy.create(
                    f"{self._name}-{upstream}", f"{HOST}:{port}", listen=f"{HOST}:{free_port(HOST)}"
                )
            except ToxiproxyError:
                if attempt == PORT_TRIES:
                    raise
        raise AssertionError

    async def _delete_proxy(self, proxy: Proxy) -> None:
        with contextlib.suppress(ToxiproxyError):
            await self._toxiproxy.delete(proxy.name)
