"""Items 32 to 50 of the contract: what each toxic does. Both servers."""

import asyncio

import pytest

from chaos.toxiproxy import ProxyHandle, Stream, Toxiproxy, ToxiproxyError
from tests.chaos.toxiproxy.support import LIMIT, SOON, Peer, Server, Upstream

pytestmark = pytest.mark.medium

EVER_MS = 60_000
"""A delay that no test waits for."""


def now() -> float:
    return asyncio.get_running_loop().time()


async def trip(sender: Peer, receiver: Peer, data: bytes = b"x") -> float:
    """How long the bytes took."""
    began = await sender.send(data)
    assert await receiver.receive(len(data)) == data
    return now() - began


async def test_32_changes_take_effect_on_living_connections(proxy: ProxyHandle, upstream: Upstream) -> None:
    client, server = await upstream.pair(proxy)
    assert await trip(server, client) < SOON
    await proxy.add_toxic("latency", latency=150)
    assert await trip(server, client) >= 0.15
    await proxy.update_toxic("latency_downstream", latency=250)
    assert await trip(server, client) >= 0.25
    await proxy.update_toxic("latency_downstream", latency=EVER_MS)
    await proxy.remove_toxic("latency_downstream")
    assert await trip(server, client) < SOON


@pytest.mark.parametrize("stream", ["upstream", "downstream"])
async def test_33_latency_counts_from_when_each_chunk_came(
    proxy: ProxyHandle, upstream: Upstream, stream: Stream
) -> None:
    await proxy.add_toxic("latency", stream=stream, latency=400)
    client, server = await upstream.pair(proxy)
    sender, receiver = (client, server) if stream == "upstream" else (server, client)

    async def send() -> list[float]:
        times = []
        for number in range(10):
            times.append(await sender.send(bytes([number])))
            await asyncio.sleep(0.05)
        return times

    async def receive() -> list[float]:
        times = []
        for number in range(10):
            assert await receiver.receive(1) == bytes([number])
            times.append(now())
        return times

    sent, received = await asyncio.gather(send(), receive())
    delays = [there - here for here, there in zip(sent, received, strict=True)]
    assert min(delays) >= 0.4
    # One after the other, the last would be 3.5 s late.
    assert max(delays) < 2.5


async def test_34_latencies_add_up(proxy: ProxyHandle, upstream: Upstream) -> None:
    await proxy.add_toxic("latency", name="a", latency=200)
    await proxy.add_toxic("latency", name="b", latency=200)
    client, server = await upstream.pair(proxy)
    assert 0.4 <= await trip(server, client) < 0.4 + SOON


async def test_35_latency_delays_neither_connect_nor_an_idle_end(
    proxy: ProxyHandle, upstream: Upstream
) -> None:
    await proxy.add_toxic("latency", stream="upstream", latency=EVER_MS)
    await proxy.add_toxic("latency", latency=EVER_MS)
    began = now()
    client, server = await upstream.pair(proxy)
    client.close()
    assert await server.ending() == "eof"
    assert now() - began < SOON


async def test_36_updating_latency_flushes_what_is_in_flight(proxy: ProxyHandle, upstream: Upstream) -> None:
    await proxy.add_toxic("latency", latency=EVER_MS)
    client, server = await upstream.pair(proxy)
    await server.send(b"in flight")
    await client.assert_quiet(0.1)
    await proxy.update_toxic("latency_downstream", latency=EVER_MS + 1)
    assert await client.receive(9) == b"in flight"


async def test_36_removing_latency_flushes_what_is_in_flight(proxy: ProxyHandle, upstream: Upstream) -> None:
    await proxy.add_toxic("latency", latency=EVER_MS)
    client, server = await upstream.pair(proxy)
    for piece in (b"in", b" fli", b"ght"):
        await server.send(piece)
        await asyncio.sleep(0.02)
    server.close()
    await client.assert_quiet(0.1)
    await proxy.remove_toxic("latency_downstream")
    assert await client.rest() == (b"in flight", "eof")


async def accepted_bytes(peer: Peer, *, at_most: int) -> int:
    """How much can be sent until nothing is taken for a while."""
    loop = asyncio.get_running_loop()
    block = bytes(1024 * 1024)
    sent = 0
    while sent < at_most:
        try:
            async with asyncio.timeout(0.5):
                await loop.sock_sendall(peer.sock, block)
        except TimeoutError:
            break
        sent += len(block)
    return sent


async def test_37_latency_buffers_and_the_others_do_not(upstream: Upstream, own_server: Server) -> None:
    # On a server of its own: the real one's control plane locks up for good where it removes these toxics.
    enough = 24 * 1024 * 1024
    async with Toxiproxy(own_server.url) as toxiproxy:
        deep = await toxiproxy.create("deep", upstream.address)
        await deep.add_toxic("latency", latency=EVER_MS)
        _, server = await upstream.pair(deep)
        assert await accepted_bytes(server, at_most=enough) == enough

        shallow = await toxiproxy.create("shallow", upstream.address)
        await shallow.add_toxic("bandwidth", rate=0)
        _, server = await upstream.pair(shallow)
        # What the kernel's own buffers take.
        assert await accepted_bytes(server, at_most=enough) < enough / 2


async def test_38_timeout_drops_its_own_stream_only(proxy: ProxyHandle, upstream: Upstream) -> None:
    await proxy.add_toxic("timeout", timeout=0)
    client, server = await upstream.pair(proxy)
    await server.send(b"dropped")
    await trip(client, server, b"flows")
    await client.assert_quiet(0.1)


async def test_39_every_dropped_chunk_restarts_the_timer(proxy: ProxyHandle, upstream: Upstream) -> None:
    await proxy.add_toxic("timeout", timeout=600)
    client, server = await upstream.pair(proxy)
    ended = asyncio.create_task(client.ending())
    began = last = now()
    while now() - began < 0.7:
        last = await server.send(b"dropped")
        await asyncio.sleep(0.1)
        assert not ended.done()
    assert await ended == "eof"
    assert now() - last >= 0.6
    assert await server.ending() == "eof"


async def test_39_an_idle_connection_times_out(proxy: ProxyHandle, upstream: Upstream) -> None:
    await proxy.add_toxic("timeout", timeout=200)
    began = now()
    client, server = await upstream.pair(proxy)
    assert (await client.ending(), await server.ending()) == ("eof", "eof")
    assert 0.2 <= now() - began < 0.2 + SOON


async def test_40_timeout_0_drops_data_and_lets_the_end_through(
    proxy: ProxyHandle, upstream: Upstream
) -> None:
    await proxy.add_toxic("timeout", timeout=0)
    client, server = await upstream.pair(proxy)
    await server.send(b"dropped")
    await client.assert_quiet(0.2)
    server.close()
    assert await client.ending() == "eof"


@pytest.mark.parametrize("toxicity", [1, 0])
@pytest.mark.parametrize("how", ["remove", "reset"])
async def test_41_removing_timeout_closes_connections(
    proxy: ProxyHandle, upstream: Upstream, how: str, toxicity: float
) -> None:
    client, server = await upstream.pair(proxy)
    # The real server may still be setting a new connection up, and a toxic that comes and goes meanwhile misses it.
    await trip(client, server)
    await trip(server, client)
    await proxy.add_toxic("timeout", toxicity=toxicity, timeout=0)
    if toxicity == 0:
        await trip(server, client)
    await (proxy.remove_toxic("timeout_downstream") if how == "remove" else proxy.server.reset())
    assert (await client.ending(), await server.ending()) == ("eof", "eof")


async def test_42_bandwidth_0_stalls_without_loss(proxy: ProxyHandle, upstream: Upstream) -> None:
    await proxy.add_toxic("bandwidth", rate=0)
    client, server = await upstream.pair(proxy)
    data = bytes(range(256)) * 500
    await server.send(data)
    await client.assert_quiet(0.2)
    await proxy.remove_toxic("bandwidth_downstream")
    assert await client.receive(len(data)) == data
    assert await trip(server, client) < SOON


async def test_42_an_end_waits_behind_stalled_data(proxy: ProxyHandle, upstream: Upstream) -> None:
    await proxy.add_toxic("bandwidth", rate=0)
    client, server = await upstream.pair(proxy)
    await server.send(b"stalled")
    server.close()
    await client.assert_quiet(0.1)
    await proxy.remove_toxic("bandwidth_downstream")
    assert await client.rest() == (b"stalled", "eof")


async def test_43_bandwidth_is_in_kilobytes_per_second(proxy: ProxyHandle, upstream: Upstream) -> None:
    await proxy.add_toxic("bandwidth", rate=100)
    client, server = await upstream.pair(proxy)
    assert 0.49 <= await trip(server, client, bytes(50_000)) < 0.5 + SOON


async def test_43_bandwidth_lets_pieces_through(proxy: ProxyHandle, upstream: Upstream) -> None:
    await proxy.add_toxic("bandwidth", rate=100)
    client, server = await upstream.pair(proxy)
    began = await server.send(bytes(30_000))
    first = await client.some()
    assert len(first) <= 10_000
    await client.receive(30_000 - len(first))
    assert now() - began >= 0.29


async def test_44_limit_data_ends_after_exactly_so_many_bytes(proxy: ProxyHandle, upstream: Upstream) -> None:
    await proxy.add_toxic("limit_data", bytes=10)
    client, server = await upstream.pair(proxy)
    await server.send(b"0123456789abcdef")
    assert await client.rest() == (b"0123456789", "eof")
    assert await server.ending() == "eof"


async def test_44_the_counter_survives_an_update(proxy: ProxyHandle, upstream: Upstream) -> None:
    await proxy.add_toxic("limit_data", bytes=10)
    client, server = await upstream.pair(proxy)
    await trip(server, client, b"012345")
    await proxy.update_toxic("limit_data_downstream", bytes=8)
    await server.send(b"6789")
    assert await client.rest() == (b"67", "eof")


async def test_44_limit_0_ends_on_the_first_data(proxy: ProxyHandle, upstream: Upstream) -> None:
    await proxy.add_toxic("limit_data", bytes=0)
    client, server = await upstream.pair(proxy)
    await client.assert_quiet(0.1)
    await server.send(b"x")
    assert (await client.ending(), await server.ending()) == ("eof", "eof")


async def test_45_reset_peer_acts_on_the_first_data(proxy: ProxyHandle, upstream: Upstream) -> None:
    await proxy.add_toxic("reset_peer", timeout=200)
    client, server = await upstream.pair(proxy)
    await trip(client, server)
    await client.assert_quiet(0.3)
    began = await server.send(b"x")
    assert (await client.ending(), await server.ending()) == ("reset", "reset")
    assert 0.2 <= now() - began < 0.2 + SOON


async def test_45_reset_peer_acts_on_the_end(proxy: ProxyHandle, upstream: Upstream) -> None:
    await proxy.add_toxic("reset_peer", stream="upstream", timeout=100)
    client, server = await upstream.pair(proxy)
    began = now()
    client.end_sending()
    assert (await server.ending(), await client.ending()) == ("reset", "reset")
    assert now() - began >= 0.1


async def test_46_on_older_connections_reset_peer_is_an_eof(proxy: ProxyHandle, upstream: Upstream) -> None:
    client, server = await upstream.pair(proxy)
    await trip(client, server)
    await proxy.add_toxic("reset_peer")
    await server.send(b"x")
    assert (await client.ending(), await server.ending()) == ("eof", "eof")


async def test_47_slow_close_delays_the_end(proxy: ProxyHandle, upstream: Upstream) -> None:
    await proxy.add_toxic("slow_close", stream="upstream", delay=250)
    client, server = await upstream.pair(proxy)
    assert await trip(client, server) < SOON
    began = now()
    client.close()
    assert await server.ending() == "eof"
    assert 0.25 <= now() - began < 0.25 + SOON


async def test_47_removing_a_pending_slow_close_closes_now(proxy: ProxyHandle, upstream: Upstream) -> None:
    await proxy.add_toxic("slow_close", stream="upstream", delay=EVER_MS)
    client, server = await upstream.pair(proxy)
    client.close()
    await server.assert_quiet(0.1)
    await proxy.remove_toxic("slow_close_upstream")
    assert await server.ending() == "eof"


async def test_48_slicer_halves_until_pieces_are_small(proxy: ProxyHandle, upstream: Upstream) -> None:
    await proxy.add_toxic("slicer", average_size=10, delay=20_000)
    client, server = await upstream.pair(proxy)
    data = bytes(range(100))
    began = await server.send(data)
    pieces: list[bytes] = []
    while sum(map(len, pieces)) < 100:
        pieces.append(await client.some())
    elapsed = now() - began
    assert b"".join(pieces) == data
    assert min(map(len, pieces)) in {6, 7}
    # 100 -> 50 -> 25 -> 12 or 13 -> 6 or 7: sixteen pieces, fifteen pauses.
    assert 15 * 0.02 <= elapsed < 15 * 0.02 + SOON


async def test_48_slicer_varies_the_cut(proxy: ProxyHandle, upstream: Upstream) -> None:
    await proxy.add_toxic("slicer", average_size=100, size_variation=50)
    client, server = await upstream.pair(proxy)
    data = bytes(range(256)) * 400
    assert await trip(server, client, data) < LIMIT


async def test_49_a_slicer_needs_a_size(server: Server, proxy: ProxyHandle) -> None:
    if server.kind == "real":
        pytest.skip("the real server accepts it and crashes on the first data")
    with pytest.raises(ToxiproxyError) as refused:
        await proxy.add_toxic("slicer")
    assert refused.value.status == 400
    await proxy.add_toxic("slicer", average_size=10)
    with pytest.raises(ToxiproxyError) as refused:
        await proxy.update_toxic("slicer_downstream", average_size=0)
    assert refused.value.status == 400
    assert (await proxy.get()).toxics[0].attributes["average_size"] == 10


async def test_50_toxicity_is_rolled_once_per_connection(proxy: ProxyHandle, upstream: Upstream) -> None:
    """`timeout` drops what an affected connection sends and lets its end through: no time is measured."""
    await proxy.add_toxic("timeout", toxicity=0.5, timeout=0)
    pairs = [await upstream.pair(proxy) for _ in range(40)]
    for byte in (b"a", b"b", b"c"):
        for _, server in pairs:
            await server.send(byte)
        await asyncio.sleep(0.01)
    for _, server in pairs:
        server.close()
    received = [await client.rest() for client, _ in pairs]
    assert set(received) == {(b"", "eof"), (b"abc", "eof")}


async def test_50_an_update_rolls_again(proxy: ProxyHandle, upstream: Upstream) -> None:
    await proxy.add_toxic("timeout", toxicity=0.5, timeout=0)
    pairs = [await upstream.pair(proxy) for _ in range(40)]
    for byte in (b"a", b"b"):
        for _, server in pairs:
            await server.send(byte)
        await asyncio.sleep(0.1)
        await proxy.update_toxic("timeout_downstream", timeout=0)
    for _, server in pairs:
        server.close()
    received = {data for data, _ in [await client.rest() for client, _ in pairs]}
    # Kept rolls would give nothing but b"" and b"ab".
    assert received & {b"a", b"b"}


@pytest.mark.parametrize(("toxicity", "received"), [(1, b""), (0, b"x"), (5, b""), (-3, b"x")])
async def test_50_certain_rolls(
    proxy: ProxyHandle, upstream: Upstream, toxicity: float, received: bytes
) -> None:
    await proxy.add_toxic("timeout", toxicity=toxicity, timeout=0)
    for _ in range(10):
        client, server = await upstream.pair(proxy)
        await server.send(b"x")
        server.close()
        assert await client.rest() == (received, "eof")
