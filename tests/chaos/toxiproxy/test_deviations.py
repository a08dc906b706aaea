"""Where the embedded server is different on purpose: one test for each, of its name."""

import asyncio
import json
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress

import httpx
import pytest

from chaos.toxiproxy import ProxyHandle, Stream, Toxiproxy, command
from chaos.toxiproxy_server.deviations import DEVIATIONS
from tests.chaos.toxiproxy.support import LIMIT, SOON, Peer, Server, Upstream, running

pytestmark = pytest.mark.medium

EVER_MS = 60_000


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running("embedded", metrics=True) as server:
        yield server


def now() -> float:
    return asyncio.get_running_loop().time()


@pytest.mark.parametrize("name", [deviation.name for deviation in DEVIATIONS])
def test_every_deviation_is_tested(name: str) -> None:
    assert callable(globals().get(f"test_{name}"))


@pytest.mark.parametrize(
    ("toxic", "attributes"),
    [
        ("slicer", {}),
        ("slicer", {"average_size": -1}),
        ("slicer", {"average_size": 10, "size_variation": 11}),
        ("slicer", {"average_size": 10, "size_variation": -1}),
        ("bandwidth", {"rate": -1}),
    ],
)
async def test_what_would_crash_is_refused(
    http: httpx.AsyncClient, proxy: ProxyHandle, toxic: str, attributes: dict[str, int]
) -> None:
    answer = await http.post("/proxies/proxy/toxics", json={"type": toxic, "attributes": attributes})
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("invalid attributes: ")
    assert (await proxy.get()).toxics == ()


async def affected(server: Server, upstream: Upstream) -> list[bool]:
    """Which of thirty connections a toxic of even odds affects."""
    async with Toxiproxy(server.url) as toxiproxy:
        proxy = await toxiproxy.create("same", upstream.address)
        await proxy.add_toxic("timeout", toxicity=0.5, timeout=0)
        rolls = []
        for _ in range(30):
            client, origin = await upstream.pair(proxy)
            await origin.send(b"x")
            origin.close()
            data, _ = await client.rest()
            rolls.append(data == b"")
    return rolls


def test_a_seed_replays() -> None:
    async def rolls(server: Server) -> list[bool]:
        upstream = Upstream()
        try:
            return await affected(server, upstream)
        finally:
            upstream.close()

    runs = []
    for seed in (7, 7, 8):
        with running("embedded", seed=seed) as server:
            runs.append(asyncio.run(rolls(server)))
    assert runs[0] == runs[1] != runs[2]


@pytest.fixture
async def black_hole() -> AsyncIterator[socket.socket]:
    """A listener whose queue is full, so that the kernel answers no more connection attempts."""
    loop = asyncio.get_running_loop()
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        listener.setblocking(False)
        fillers = []
        while True:
            filler = socket.socket()
            filler.setblocking(False)
            fillers.append(filler)
            try:
                async with asyncio.timeout(0.1):
                    await loop.sock_connect(filler, listener.getsockname())
            except TimeoutError:
                break
        yield listener
        for filler in fillers:
            filler.close()


def make_room(black_hole: socket.socket) -> None:
    """Let connection attempts succeed from now on; the kernel repeats those under way after a second."""
    black_hole.listen(128)
    with suppress(BlockingIOError):
        while True:
            black_hole.accept()[0].close()


async def test_a_dial_holds_up_nobody(
    toxiproxy: Toxiproxy, upstream: Upstream, black_hole: socket.socket
) -> None:
    proxy = await toxiproxy.create("a", f"127.0.0.1:{black_hole.getsockname()[1]}")
    stuck = await upstream.connect(proxy.port)
    await stuck.assert_quiet(0.05)
    # The stuck client's next attempt to connect is a second away: with room in the queue, a new one overtakes it.
    loop = asyncio.get_running_loop()
    make_room(black_hole)
    client = await upstream.connect(proxy.port)
    await client.send(b"overtakes")
    async with asyncio.timeout(LIMIT):
        while True:
            peer = Peer((await loop.sock_accept(black_hole))[0])
            data = await peer.some()
            peer.close()
            if data:
                break
    assert data == b"overtakes"


async def test_a_connection_that_dials_is_older_than_a_toxic_that_comes_then(
    toxiproxy: Toxiproxy, upstream: Upstream, black_hole: socket.socket
) -> None:
    proxy = await toxiproxy.create("a", f"127.0.0.1:{black_hole.getsockname()[1]}")
    client = await upstream.connect(proxy.port)
    await client.assert_quiet(0.05)
    await proxy.add_toxic("reset_peer", stream="upstream")
    await client.send(b"x")
    make_room(black_hole)
    assert await client.ending() == "eof"


@pytest.mark.parametrize("stream", ["upstream", "downstream"])
async def test_a_toxic_that_closes_does_so_to_a_connection_that_dials(
    toxiproxy: Toxiproxy, upstream: Upstream, black_hole: socket.socket, stream: Stream
) -> None:
    proxy = await toxiproxy.create("a", f"127.0.0.1:{black_hole.getsockname()[1]}")
    client = await upstream.connect(proxy.port)
    await client.assert_quiet(0.05)
    await proxy.add_toxic("timeout", stream=stream)
    await proxy.update_toxic(f"timeout_{stream}", toxicity=0)
    await proxy.remove_toxic(f"timeout_{stream}")
    make_room(black_hole)
    assert await client.ending() == "eof"


async def test_disabling_drops_those_that_dial(
    toxiproxy: Toxiproxy, upstream: Upstream, black_hole: socket.socket
) -> None:
    proxy = await toxiproxy.create("a", f"127.0.0.1:{black_hole.getsockname()[1]}")
    stuck = await upstream.connect(proxy.port)
    await stuck.assert_quiet(0.05)
    await proxy.disable()
    assert await stuck.ending() == "eof"


async def test_the_control_plane_never_hangs(proxy: ProxyHandle, upstream: Upstream) -> None:
    client, server = await upstream.pair(proxy)
    data = bytes(range(256)) * 125_000
    sending = asyncio.create_task(server.send(data))
    await asyncio.sleep(0.3)
    assert not sending.done()  # the client does not read, and all buffers are full
    await proxy.add_toxic("latency", latency=20)
    await proxy.add_toxic("slicer", average_size=5000)
    await proxy.add_toxic("bandwidth", rate=0)
    await proxy.update_toxic("latency_downstream", latency=10)
    await proxy.update_toxic("bandwidth_downstream", rate=1_000_000)
    await proxy.remove_toxic("slicer_downstream")
    await proxy.server.proxies()
    await proxy.server.reset()
    assert await client.receive(len(data)) == data
    await sending


async def test_removing_reset_peer_in_time_heals(proxy: ProxyHandle, upstream: Upstream) -> None:
    await proxy.add_toxic("reset_peer", timeout=EVER_MS)
    client, server = await upstream.pair(proxy)
    await server.send(b"x")
    await client.assert_quiet(0.05)
    await proxy.remove_toxic("reset_peer_downstream")
    assert await client.receive(1) == b"x"
    await client.send(b"y")
    assert await server.receive(1) == b"y"


async def test_toxics_leave_their_neighbours_alone(proxy: ProxyHandle, upstream: Upstream) -> None:
    await proxy.add_toxic("latency", latency=400)
    client, server = await upstream.pair(proxy)
    began = await server.send(b"x")
    await asyncio.sleep(0.05)
    await proxy.add_toxic("noop")
    await proxy.remove_toxic("noop_downstream")
    assert await client.receive(1) == b"x"
    assert now() - began >= 0.4


async def test_delays_of_several_toxics_add_up(proxy: ProxyHandle, upstream: Upstream) -> None:
    await proxy.add_toxic("bandwidth", rate=100)
    await proxy.add_toxic("latency", latency=200)
    client, server = await upstream.pair(proxy)
    began = await server.send(bytes(20_000))
    await client.receive(20_000)
    assert now() - began >= 0.2 + 0.2


@pytest.mark.parametrize("how", ["spared", "removed"])
async def test_only_reset_peer_itself_resets(proxy: ProxyHandle, upstream: Upstream, how: str) -> None:
    await proxy.add_toxic("reset_peer", toxicity=0 if how == "spared" else 1)
    client, server = await upstream.pair(proxy)
    if how == "removed":
        await proxy.remove_toxic("reset_peer_downstream")
    await server.send(b"x")
    assert await client.receive(1) == b"x"
    server.close()
    assert await client.ending() == "eof"


async def test_a_new_bandwidth_applies_to_what_waits(proxy: ProxyHandle, upstream: Upstream) -> None:
    await proxy.add_toxic("bandwidth", rate=1)
    client, server = await upstream.pair(proxy)
    await server.send(bytes(30_000))
    await asyncio.sleep(0.05)
    began = now()
    await proxy.update_toxic("bandwidth_downstream", rate=100)
    await client.receive(30_000)
    assert 0.25 <= now() - began < 0.3 + SOON


async def test_updates_are_all_or_nothing(http: httpx.AsyncClient, proxy: ProxyHandle) -> None:
    await proxy.add_toxic("latency", latency=1, jitter=2)
    body = {"attributes": {"latency": 5, "jitter": "x"}, "toxicity": 0.5}
    assert (await http.patch("/proxies/proxy/toxics/latency_downstream", json=body)).status_code == 400
    (toxic,) = await proxy.server.toxics(proxy.name)
    assert (toxic.attributes, toxic.toxicity) == ({"latency": 1, "jitter": 2}, 1)


async def test_metrics_count_as_bytes_flow(
    http: httpx.AsyncClient, proxy: ProxyHandle, upstream: Upstream
) -> None:
    client, server = await upstream.pair(proxy)
    await client.send(b"12345")
    await server.receive(5)
    labels = f'direction="upstream",listener="{proxy.listen}",proxy="proxy",upstream="{upstream.address}"'
    lines = (await http.get("/metrics")).text.splitlines()
    assert f"toxiproxy_proxy_received_bytes_total{{{labels}}} 5" in lines
    assert f"toxiproxy_proxy_sent_bytes_total{{{labels}}} 5" in lines


async def test_bodies_hold_no_logger(http: httpx.AsyncClient, proxy: ProxyHandle) -> None:
    assert set((await http.get("/proxies/proxy")).json()) == {
        "name",
        "listen",
        "upstream",
        "enabled",
        "toxics",
    }


async def test_port_0_is_any_port() -> None:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command(0, seed=5), stdout=pipe, stderr=pipe)
    assert process.stdout is not None
    try:
        async with asyncio.timeout(LIMIT):
            first = json.loads(await process.stdout.readline())
        assert (first["event"], first["seed"]) == ("listening", 5)
        async with Toxiproxy(first["url"]) as toxiproxy:
            assert await toxiproxy.version() == first["version"]
        port = int(first["url"].rpartition(":")[2])
        second = await asyncio.create_subprocess_exec(*command(port), stdout=pipe, stderr=pipe)
        _, complaint = await asyncio.wait_for(second.communicate(), LIMIT)
        assert second.returncode == 1
        assert b"address already in use" in complaint
    finally:
        process.terminate()
        out, err = await asyncio.wait_for(process.communicate(), LIMIT)
    assert (process.returncode, out, err) == (0, b"", b"")


async def test_reasons_are_in_other_words(http: httpx.AsyncClient) -> None:
    answer = await http.post("/proxies", json=[])
    assert answer.json() == {"error": "bad request body: an object was expected, not a list", "status": 400}


async def test_a_signal_ends_it_with_connections_open(upstream: Upstream) -> None:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command(0), stdout=pipe, stderr=pipe)
    assert process.stdout is not None
    async with asyncio.timeout(LIMIT):
        url = json.loads(await process.stdout.readline())["url"]
    async with Toxiproxy(url) as toxiproxy:
        proxy = await toxiproxy.create("a", upstream.address)
        await proxy.add_toxic("latency", latency=EVER_MS)
        client, server = await upstream.pair(proxy)
        await server.send(b"in flight")
        process.terminate()
        _, err = await asyncio.wait_for(process.communicate(), LIMIT)
        assert await client.ending() == "eof"
    assert (process.returncode, err) == (0, b"")


async def test_a_config_file_is_populated(
    upstream: Upstream, tmp_path_factory: pytest.TempPathFactory
) -> None:
    config = tmp_path_factory.mktemp("config") / "proxies.json"
    config.write_text(json.dumps([{"name": "a", "upstream": upstream.address, "listen": "127.0.0.1:0"}]))
    process = await asyncio.create_subprocess_exec(
        *command(0), "-config", str(config), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(LIMIT):
            url = json.loads(await process.stdout.readline())["url"]
        async with Toxiproxy(url) as toxiproxy:
            assert list(await toxiproxy.proxies()) == ["a"]
    finally:
        process.terminate()
        await process.communicate()


async def test_wrong_use_exits_2() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "chaos.toxiproxy_server",
        "-config",
        "/nonexistent",
        stderr=asyncio.subprocess.PIPE,
    )
    _, err = await asyncio.wait_for(process.communicate(), LIMIT)
    assert process.returncode == 2
    assert b"nonexistent" in err
