"""What a fault proxy costs while it injects nothing: `python benchmarks/toxiproxy_overhead.py`.

Round trips of one byte and a bulk transfer over loopback: directly, through the embedded server, and through the
real one if there is one. All are measured in turns against the same echo server, which shares this process with the
client. Mind the spread: on a shared machine, bulk ratios change several-fold from round to round.
"""

import argparse
import asyncio
import statistics
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from chaos.ports import free_port
from chaos.toxiproxy import Toxiproxy, command, find_server, wait_until_up

BLOCK = bytes(256 * 1024)
START_SECONDS = 10.0


@dataclass
class Route:
    """One way to the echo server, and what was measured on it, round by round, in microseconds and MB/s."""

    name: str
    port: int
    latencies: list[float] = field(default_factory=list)
    throughputs: list[float] = field(default_factory=list)


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send back bytes until the client's first byte is 0: then count 8 bytes' worth of them and acknowledge."""
    while head := await reader.read(1):
        if head == b"\0":
            left = int.from_bytes(await reader.readexactly(8))
            while left and (data := await reader.read(min(left, 1 << 20))):
                left -= len(data)
        writer.write(head)
    writer.close()


async def round_trip_us(port: int, count: int) -> float:
    """The median time of a byte there and back."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    times = []
    for _ in range(count):
        began = time.perf_counter()
        writer.write(b"\1")
        await reader.readexactly(1)
        times.append(time.perf_counter() - began)
    writer.close()
    await writer.wait_closed()
    return statistics.median(times) * 1e6


async def throughput_mb_s(port: int, megabytes: int) -> float:
    """How fast so many bytes arrive."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    blocks = megabytes * 1_000_000 // len(BLOCK)
    began = time.perf_counter()
    writer.write(b"\0" + (blocks * len(BLOCK)).to_bytes(8))
    for _ in range(blocks):
        writer.write(BLOCK)
        await writer.drain()
    await reader.readexactly(1)
    elapsed = time.perf_counter() - began
    writer.close()
    await writer.wait_closed()
    return blocks * len(BLOCK) / elapsed / 1e6


@asynccontextmanager
async def proxied(binary: Path | None, upstream: str) -> AsyncIterator[int]:
    """The port of a proxy for `upstream` on a new server."""
    port = free_port()
    quiet = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(*command(port, binary=binary), stdout=quiet, stderr=quiet)
    try:
        url = f"http://127.0.0.1:{port}"
        await wait_until_up(url, START_SECONDS)
        async with Toxiproxy(url) as toxiproxy:
            yield (await toxiproxy.create("benchmark", upstream)).port
    finally:
        process.terminate()
        await process.wait()


async def measure(rounds: int, count: int, megabytes: int) -> list[Route]:
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    port = int(server.sockets[0].getsockname()[1])
    async with AsyncExitStack() as stack:
        routes = [Route("direct", port)]
        binary = find_server()
        for name, program in {"embedded": None, "real": binary}.items():
            if name == "embedded" or program is not None:
                routes.append(
                    Route(name, await stack.enter_async_context(proxied(program, f"127.0.0.1:{port}")))
                )
        for _ in range(rounds):
            for route in routes:
                route.latencies.append(await round_trip_us(route.port, count))
                route.throughputs.append(await throughput_mb_s(route.port, megabytes))
    server.close()
    return routes


def show(routes: list[Route]) -> None:
    """Ratios are medians over rounds, each within one round: the machine's load changes from round to round."""
    direct, *servers = routes
    for route in routes:
        print(
            f"{route.name:9} round trip {statistics.median(route.latencies):6.0f} us, "
            f"{spread(route.latencies, direct.latencies)} x direct   "
            f"bulk {statistics.median(route.throughputs):6.0f} MB/s, "
            f"{spread(route.throughputs, direct.throughputs)} x direct"
        )
    if len(servers) == 2:
        embedded, real = servers
        print(
            f"embedded / real: round trip {spread(embedded.latencies, real.latencies)}, "
            f"bulk {spread(embedded.throughputs, real.throughputs)}"
        )


def spread(values: list[float], base: list[float]) -> str:
    """The median ratio, and the smallest and largest."""
    ratios = sorted(value / other for value, other in zip(values, base, strict=True))
    return f"{statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--count", type=int, default=2000, help="round trips per round (%(default)s)")
    parser.add_argument("--megabytes", type=int, default=200, help="sent per round (%(default)s)")
    options = parser.parse_args()
    show(asyncio.run(measure(options.rounds, options.count, options.megabytes)))


if __name__ == "__main__":
    main()
