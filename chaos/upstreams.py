"""The upstreams of one experiment, each a stand-in or a real server behind a fault proxy of its own."""

import asyncio
import contextlib
import secrets
from collections.abc import Mapping
from typing import Any, Protocol, Self, TypeVar

from chaos.blackhole import Blackhole
from chaos.contract import Contract
from chaos.history import Fault, Probe, Upstream
from chaos.llm import ScriptedLLM
from chaos.mlflow import MlflowStandIn
from chaos.network import LOOPBACK, LOOPBACK_ADDRESS, Network
from chaos.ports import free_port
from chaos.postgres import PostgresDatabase, PostgresServer
from chaos.qdrant import QdrantStandIn
from chaos.recorder import Recorder
from chaos.redis import RedisServer
from chaos.stand_in import Breakage, StandIn
from chaos.tei import TeiStandIn
from chaos.toxiproxy import ProxyHandle, Toxiproxy, ToxiproxyError

PORT_TRIES = 5
PROBE_SECONDS = 0.5

T = TypeVar("T")


class Server(Protocol):
    """What an upstream is in the lab: it listens on `port` of 127.0.0.1 while its context is entered."""

    @property
    def port(self) -> int: ...

    async def __aenter__(self) -> Any: ...

    async def __aexit__(self, *_: object) -> None: ...


class Upstreams:
    """The contract's upstreams and their proxies, from entering to leaving the context.

    A fault is what the service meets on the way to an upstream (`outage`, `blackhole`, `hang`, `reset`, `latency`), or
    an upstream that answers nothing right (`close`, `drip`, `garbage`, `status`); what the model alone does wrong is its script. Every fault is recorded when it has taken effect.

    Databases are made on the server `postgres`, which others share.
    """

    def __init__(
        self,
        name: str,
        contract: Contract,
        toxiproxy: Toxiproxy,
        recorder: Recorder,
        network: Network = LOOPBACK,
        *,
        postgres: PostgresServer,
    ) -> None:
        self._servers = {
            upstream: make_server(upstream, contract, recorder, network=network, postgres=postgres)
            for upstream in contract.upstreams
        }
        self._name = name
        self._network = network
        self._toxiproxy = toxiproxy
        self._recorder = recorder
        self._proxies: dict[Upstream, ProxyHandle] = {}
        self._blackholes: dict[Upstream, Blackhole] = {}
        self._stack = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with contextlib.AsyncExitStack() as stack:
            for upstream, server in self._servers.items():
                await stack.enter_async_context(server)
                self._proxies[upstream] = await self._create_proxy(upstream, server.port)
                stack.push_async_callback(self._delete_proxy, upstream)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        for blackhole in self._blackholes.values():
            blackhole.close()
        await self._stack.aclose()

    def of(self, kind: type[T], name: Upstream | None = None) -> T:
        """Return the first server of a type, such as `ScriptedLLM`, or the one of the upstream `name`.

        Raises LookupError if the contract has none.
        """
        for upstream, server in self._servers.items():
            if name in {None, upstream} and isinstance(server, kind):
                return server
        which = f"no upstream '{name}'" if name else "no upstream"
        raise LookupError(f"the contract has {which} that is served by {kind.__name__}")

    @property
    def addresses(self) -> dict[Upstream, tuple[str, int]]:
        """What the service is told: the host and port of each upstream's proxy."""
        return {upstream: (proxy.host, proxy.port) for upstream, proxy in self._proxies.items()}

    @property
    def credentials(self) -> dict[Upstream, dict[str, str]]:
        """What the service is told beside the addresses: the user, password and name of each database."""
        return credentials(self._servers)

    def url(self, upstream: Upstream) -> str:
        """Return the address that the service is given for an upstream: its proxy's."""
        return f"http://{self._proxies[upstream].listen}"

    async def outage(self, upstream: Upstream) -> None:
        """Have connections to an upstream refused, and live ones closed, until `heal`."""
        await self._proxies[upstream].disable()
        await self._shown(upstream, Fault(name="outage", upstream=upstream, on=True), "refused")

    async def blackhole(self, upstream: Upstream) -> None:
        """Have connections to an upstream neither accepted nor refused until `heal`; live ones are closed."""
        proxy = self._proxies[upstream]
        await proxy.disable()
        self._blackholes[upstream] = Blackhole(proxy.host, proxy.port, self._network)
        self._blackholes[upstream].open()
        await self._shown(upstream, Fault(name="blackhole", upstream=upstream, on=True), "timeout")

    async def hang(self, upstream: Upstream) -> None:
        """Have an upstream accept connections and never see what is sent, until `heal`."""
        await self._proxies[upstream].add_toxic("timeout", stream="upstream", timeout=0)
        self._recorder.record(Fault(name="hang", upstream=upstream, on=True))

    async def reset(self, upstream: Upstream) -> None:
        """Have connections to an upstream broken (RST) once it begins to answer, until `heal`; it gets the requests."""
        await self._proxies[upstream].add_toxic("reset_peer", stream="downstream", timeout=0)
        self._recorder.record(Fault(name="reset", upstream=upstream, on=True))

    async def close(self, upstream: Upstream) -> None:
        """Have an upstream hang up on every request without an answer, until `heal`."""
        self._break_down(upstream, "close", Fault(name="close", upstream=upstream, on=True))

    async def drip(self, upstream: Upstream) -> None:
        """Have an upstream serve every request with an answer that comes byte by byte and has no end, until `heal`."""
        self._break_down(upstream, "drip", Fault(name="drip", upstream=upstream, on=True))

    async def garbage(self, upstream: Upstream) -> None:
        """Have an upstream answer every request with what is no HTTP, until `heal`."""
        self._break_down(upstream, "garbage", Fault(name="garbage", upstream=upstream, on=True))

    async def status(self, upstream: Upstream, status: int) -> None:
        """Have an upstream answer every request with a status, until `heal`."""
        self._break_down(
            upstream, status, Fault(name="status", upstream=upstream, on=True, detail=str(status))
        )

    async def latency(self, upstream: Upstream, seconds: float) -> None:
        """Have everything that an upstream sends arrive so much later, until `heal`."""
        await self._proxies[upstream].add_toxic("latency", stream="downstream", latency=round(seconds * 1000))
        self._recorder.record(Fault(name="latency", upstream=upstream, on=True, detail=f"{seconds:g} s"))

    async def heal(self, upstream: Upstream) -> None:
        """End all faults of an upstream and of its proxy."""
        if blackhole := self._blackholes.pop(upstream, None):
            blackhole.close()
        if isinstance(server := self._servers[upstream], StandIn):
            server.break_down(None)
        proxy = self._proxies[upstream]
        for toxic in (await proxy.get()).toxics:
            await proxy.remove_toxic(toxic.name)
        await proxy.enable()
        await self._shown(upstream, Fault(name="heal", upstream=upstream, on=False), "connected")

    async def check(self) -> None:
        """Raise ToxiproxyError where a proxy is gone: what the service met then was not what was recorded."""
        for proxy in self._proxies.values():
            await proxy.get()

    def _break_down(self, upstream: Upstream, breakage: Breakage, fault: Fault) -> None:
        server = self._servers[upstream]
        if not isinstance(server, StandIn):
            raise TypeError(f"{upstream} is a real server, which cannot be told to fail")
        server.break_down(breakage)
        self._recorder.record(fault)

    async def _shown(self, upstream: Upstream, fault: Fault, outcome: str) -> None:
        """Record a fault with the lab's own look at what a client meets; raises OSError where it meets something else."""
        self._recorder.record(fault)
        seen = await self._probe(upstream)
        if seen != outcome:
            raise OSError(f"{fault.name} of {upstream} shows as '{seen}' instead of '{outcome}'")

    async def _probe(self, upstream: Upstream) -> str:
        proxy = self._proxies[upstream]
        with self._network.socket() as probe:
            probe.setblocking(False)
            try:
                async with asyncio.timeout(PROBE_SECONDS):
                    await asyncio.get_running_loop().sock_connect(probe, (proxy.host, proxy.port))
            except ConnectionRefusedError:
                return self._recorder.record(Probe(upstream=upstream, outcome="refused")).outcome
            except TimeoutError:
                return self._recorder.record(Probe(upstream=upstream, outcome="timeout")).outcome
        return self._recorder.record(Probe(upstream=upstream, outcome="connected")).outcome

    async def _create_proxy(self, upstream: Upstream, port: int) -> ProxyHandle:
        name = f"{self._name}-{upstream}"
        for _ in range(PORT_TRIES - 1):
            with contextlib.suppress(ToxiproxyError):  # a port can be taken between the look and the bind
                return await self._toxiproxy.create(name, f"{LOOPBACK_ADDRESS}:{port}", listen=self._free())
        return await self._toxiproxy.create(name, f"{LOOPBACK_ADDRESS}:{port}", listen=self._free())

    def _free(self) -> str:
        address = self._network.address
        return f"{address}:{free_port(address, self._network.socket)}"

    async def _delete_proxy(self, upstream: Upstream) -> None:
        with contextlib.suppress(ToxiproxyError):
            await self._proxies[upstream].delete()


def credentials(servers: Mapping[Upstream, Server]) -> dict[Upstream, dict[str, str]]:
    """Return what a service is told of its databases beside their addresses: `PostgresDatabase.credentials`."""
    return {
        name: server.credentials for name, server in servers.items() if isinstance(server, PostgresDatabase)
    }


def make_server(
    name: Upstream,
    contract: Contract,
    recorder: Recorder,
    *,
    network: Network = LOOPBACK,
    port: int = 0,
    controls: bool = False,
    postgres: PostgresServer,
) -> Server:
    """Return what serves an upstream of a contract; `port` 0 is any free one, `controls` as in `ScriptedLLM`.

    A database is made on the server `postgres`.
    """
    match contract.upstreams[name].kind:
        case "model":
            models = contract.ask.models if contract.ask else ()
            return ScriptedLLM(
                recorder, name=name, models=models, port=port, network=network, controls=controls
            )
        case "qdrant":
            return QdrantStandIn(recorder, name=name, port=port, network=network)
        case "mlflow":
            return MlflowStandIn(recorder, name=name, port=port, network=network)
        case "tei":
            return TeiStandIn(recorder, name=name, port=port, network=network)
        case "redis":
            return RedisServer(recorder, name=name, port=port, network=network)
        case "postgres":
            database = f"service_{secrets.token_hex(6)}"
            return PostgresDatabase(
                postgres, recorder, database=database, name=name, port=port, network=network
            )
