import asyncio
import socket
import sys

import pytest

from chaos.blackhole import Blackhole
from chaos.ports import free_port


async def connect(port: int, seconds: float) -> str:
    try:
        async with asyncio.timeout(seconds):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
    except TimeoutError:
        return "timeout"
    except ConnectionRefusedError:
        return "refused"
    writer.close()
    return "connected"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux drops a SYN for a full queue")
async def test_a_blackhole_neither_accepts_nor_refuses_and_gives_its_port_back() -> None:
    port = free_port()

    with Blackhole("127.0.0.1", port):
        assert await asyncio.gather(*(connect(port, 0.5) for _ in range(5))) == ["timeout"] * 5

    assert await connect(port, 5) == "refused"
    with socket.create_server(("127.0.0.1", port)):
        assert await connect(port, 5) == "connected"


def test_a_taken_port_is_an_error_and_leaves_nothing_open() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        blackhole = Blackhole("127.0.0.1", server.getsockname()[1])
        with pytest.raises(OSError, match="in use"):
            blackhole.open()
        blackhole.close()
