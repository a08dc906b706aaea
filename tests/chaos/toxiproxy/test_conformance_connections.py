"""Items 26 to 31 of the contract: connections without toxics, or with toxics coming and going. Both servers."""

import asyncio
import hashlib
import random
import socket
from typing import Any

import pytest

from chaos.ports import free_port
from chaos.toxiproxy import ProxyHandle, Toxiproxy
from tests.chaos.toxiproxy.support import LIMIT, Peer, Upstream, connect, echo, refused

pytestmark = pytest.mark.medium


async def test_26_disable_closes_everything(proxy: ProxyHandle, upstream: Upstream) -> None:
    client, server = await upstream.pair(proxy)
    await client.send(b"hello")
    await server.receive(5)
    await proxy.disable()
    assert (await client.ending(), await server.ending()) == ("eof", "eof")
    assert await refused(proxy.port)
    await proxy.enable()
    assert (await proxy.get()).listen == proxy.listen
    await upstream.pair(proxy)


async def test_27_delete_closes_connections(proxy: ProxyHandle, upstream: Upstream) -> None:
    client, server = await upstream.pair(proxy)
    await proxy.delete()
    assert (await client.ending(), await server.ending()) == ("eof", "eof")


async def test_27_delete_closes_connections_in_the_making(toxiproxy: Toxiproxy, upstream: Upstream) -> None:
    for _ in range(50):
        proxy = await toxiproxy.create("brief", upstream.address)
        client = await upstream.connect(proxy.port)
        await proxy.delete()
        assert await client.ending() in {"eof", "reset"}  # reset: it was not accepted yet
    for server in upstream.accepted():
        assert await server.ending() == "eof"


async def test_28_without_an_upstream_a_client_is_accepted_and_dropped(toxiproxy: Toxiproxy) -> None:
    proxy = await toxiproxy.create("a", f"127.0.0.1:{free_port()}")
    client = await connect(proxy.port)
    assert await client.ending() == "eof"
    client.close()


async def test_29_there_is_no_half_close(proxy: ProxyHandle, upstream: Upstream) -> None:
    client, server = await upstream.pair(proxy)
    client.end_sending()
    assert await server.ending() == "eof"
    # The proxy has closed the upstream's socket for both ways, and the client's with it.
    assert await client.ending() == "eof"
    with pytest.raises(ConnectionError):
        await keep_sending(server)


async def keep_sending(peer: Peer) -> None:
    while True:
        await peer.send(b"too late")
        await asyncio.sleep(0)


async def test_29_nor_from_the_server(proxy: ProxyHandle, upstream: Upstream) -> None:
    client, server = await upstream.pair(proxy)
    server.end_sending()
    assert (await client.ending(), await server.ending()) == ("eof", "eof")


CYCLE: list[tuple[str, dict[str, Any]]] = [
    ("latency", {"latency": 5, "jitter": 5}),
    ("bandwidth", {"rate": 50_000}),
    ("slicer", {"average_size": 2000, "size_variation": 500}),
    ("noop", {}),
]


async def test_30_bytes_are_preserved_while_toxics_come_and_go(
    proxy: ProxyHandle, upstream: Upstream
) -> None:
    client, server = await upstream.pair(proxy)
    block = random.Random(30).randbytes(16 * 1024)
    stop = asyncio.Event()

    async def send() -> str:
        digest = hashlib.sha256()
        while not stop.is_set():
            await client.send(block)
            digest.update(block)
            await asyncio.sleep(0.0005)
        client.end_sending()
        return digest.hexdigest()

    async def receive() -> str:
        digest = hashlib.sha256()
        while data := await server.some():
            digest.update(data)
        return digest.hexdigest()

    async def change() -> None:
        for _ in range(10):
            for kind, attributes in CYCLE:
                await proxy.server.add_toxic(proxy.name, kind, stream="upstream", **attributes)
            await proxy.update_toxic("latency_upstream", latency=2)
            for kind, _ in random.sample(CYCLE, len(CYCLE)):
                await proxy.remove_toxic(f"{kind}_upstream")
        stop.set()

    async with asyncio.timeout(3 * LIMIT):
        sent, received, _ = await asyncio.gather(send(), receive(), change())
    assert received == sent


async def test_31_what_a_client_sent_before_it_closed_is_delivered(
    proxy: ProxyHandle, upstream: Upstream
) -> None:
    await proxy.add_toxic("latency", stream="upstream", latency=200)
    client, server = await upstream.pair(proxy)
    data = random.Random(31).randbytes(300_000)
    await client.send(data)
    client.close()
    assert await server.rest() == (data, "eof")


async def test_bytes_arrive_both_ways_at_once(proxy: ProxyHandle, upstream: Upstream) -> None:
    client, server = await upstream.pair(proxy)
    there, back = random.Random(1).randbytes(8_000_000), random.Random(2).randbytes(8_000_000)
    _, _, received_there, received_back = await asyncio.gather(
        client.send(there), server.send(back), server.receive(len(there)), client.receive(len(back))
    )
    assert (received_there, received_back) == (there, back)


async def test_a_reader_that_stops_holds_up_the_sender_and_loses_nothing(
    proxy: ProxyHandle, upstream: Upstream
) -> None:
    client, server = await upstream.pair(proxy)
    data = random.Random(3).randbytes(32_000_000)
    sending = asyncio.create_task(client.send(data))
    await asyncio.sleep(0.3)
    assert not sending.done()
    assert await server.receive(len(data)) == data
    await sending


async def test_small_writes_are_not_held_back(proxy: ProxyHandle, upstream: Upstream) -> None:
    """Nagle's algorithm in the proxy would hold every second write back for a delayed ACK's 40 ms."""
    client, server = await upstream.pair(proxy)
    loop = asyncio.get_running_loop()
    gaps = []
    for _ in range(20):
        began = loop.time()
        for end, other in ((client, server), (server, client)):
            await end.send(b"a")
            await asyncio.sleep(0.001)
            await end.send(b"b")
            await other.receive(2)
        gaps.append(loop.time() - began)
    assert sorted(gaps)[len(gaps) // 4] < 0.04


async def test_a_reset_ends_the_other_side(proxy: ProxyHandle, upstream: Upstream) -> None:
    client, server = await upstream.pair(proxy)
    server.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    server.close()
    assert await client.ending() == "eof"


async def test_many_connections(proxy: ProxyHandle, upstream: Upstream) -> None:
    clients = [await upstream.connect(proxy.port) for _ in range(100)]
    servers = [await upstream.accept() for _ in clients]
    for number, client in enumerate(clients):
        await client.send(number.to_bytes(2))
    received = [int.from_bytes(await server.receive(2)) for server in servers]
    assert sorted(received) == list(range(100))
    await proxy.disable()
    assert {await peer.ending() for peer in (*clients, *servers)} == {"eof"}


async def test_clients_that_send_at_once_get_their_own_bytes_back(toxiproxy: Toxiproxy) -> None:
    """What a client sends on connecting may reach the proxy before the proxy is connected to its upstream."""

    async def exchange(port: int, data: bytes) -> bytes:
        client = await connect(port)
        await client.send(data)
        received = await client.receive(len(data))
        client.close()
        return received

    async with echo() as address:
        proxy = await toxiproxy.create("a", address)
        for seed in range(10):
            sent = [random.Random(100 * seed + number).randbytes(500) for number in range(100)]
            assert await asyncio.gather(*(exchange(proxy.port, data) for data in sent)) == sent


async def test_a_large_payload_that_is_sent_at_once_comes_back(toxiproxy: Toxiproxy) -> None:
    data = random.Random(5).randbytes(1_000_000)
    async with echo() as address:
        proxy = await toxiproxy.create("a", address)
        clients = [await connect(proxy.port) for _ in range(5)]
        sending = asyncio.gather(*(client.send(data) for client in clients))
        for received in await asyncio.gather(*(client.receive(len(data)) for client in clients)):
            assert received == data
        await sending
        for client in clients:
            client.close()
