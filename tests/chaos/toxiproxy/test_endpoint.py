"""An endpoint that is fed before its socket is connected, as happens while a proxy dials its upstream.

Most tests hand the bytes to the source themselves: when asyncio begins to read depends on Python's version.
"""

import asyncio
import random

import pytest

from chaos.toxiproxy_server.chunk import CHUNK_BYTES
from chaos.toxiproxy_server.endpoint import Endpoint
from chaos.toxiproxy_server.link import Link, no_reset
from chaos.toxiproxy_server.toxic import Toxic
from chaos.toxiproxy_server.toxics import EFFECTS
from tests.chaos.toxiproxy.support import LIMIT, Peer, Upstream

NOOP = Toxic("noop_upstream", "noop", "upstream", 1.0, EFFECTS["noop"]())


async def connect(endpoint: Endpoint, upstream: Upstream) -> Peer:
    """Connect the endpoint; returns the peer that it is then connected to."""
    await asyncio.get_running_loop().create_connection(lambda: endpoint, "127.0.0.1", upstream.port)
    return await upstream.accept()


def hand_over(data: bytes, endpoint: Endpoint) -> None:
    """Do what a transport does that has read `data`."""
    endpoint.get_buffer(-1)[: len(data)] = data
    endpoint.buffer_updated(len(data))


@pytest.mark.parametrize("toxics", [[], [NOOP]], ids=["no toxic", "noop"])
async def test_what_comes_early_is_sent_once_connected(toxics: list[Toxic], upstream: Upstream) -> None:
    source, sink = Endpoint(), Endpoint()
    link = Link(source, sink, toxics, key="", reset=no_reset)
    hand_over(b"early", source)

    peer = await connect(sink, upstream)
    link.start()
    hand_over(b" and late", source)
    source.eof_received()

    assert await peer.rest() == (b"early and late", "eof")
    await sink.closed.wait()


async def test_an_early_end_does_not_overtake_early_bytes(upstream: Upstream) -> None:
    source, sink = Endpoint(), Endpoint()
    link = Link(source, sink, [], key="", reset=no_reset)
    hand_over(b"early", source)
    source.eof_received()

    peer = await connect(sink, upstream)
    link.start()

    assert await peer.rest() == (b"early", "eof")
    await sink.closed.wait()


async def test_reading_stops_after_one_early_chunk(upstream: Upstream) -> None:
    source, sink = Endpoint(), Endpoint()
    link = Link(source, sink, [], key="", reset=no_reset)
    client = await connect(source, upstream)
    data = random.Random(1).randbytes(20 * CHUNK_BYTES)
    sending = asyncio.create_task(client.send(data))
    async with asyncio.timeout(LIMIT):
        while not source.inbound.received:
            await asyncio.sleep(0)
    for _ in range(20):  # turns of the event loop, in each of which a chunk more could be read
        await asyncio.sleep(0)
    assert source.inbound.received <= CHUNK_BYTES

    peer = await connect(sink, upstream)
    link.start()

    assert await peer.receive(len(data)) == data
    await sending
    sink.abort()
    source.abort()
    await asyncio.gather(source.closed.wait(), sink.closed.wait())
