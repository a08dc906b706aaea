# noqa: INP001 (a script)
"""What a fault proxy costs while it injects nothing: `python benchmarks/toxiproxy_overhead.py`.

Round trips of one byte and a bulk transfer over loopback: directly, through the embedded server, and through the
real one if there is one. All run in this one process against the same echo server, in turns, and the best round of
each counts: only the ratios mean something on a shared machine.
"""

import argparse
import asyncio
import statistics
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from chaos.toxiproxy import Toxiproxy, command, find_server, free_port, wait_until_up

BLOCK = bytes(256 * 1024)
START_SECONDS = 10.0


@dataclass
class Route:
    """One way to the echo server, and what was measured on it: medians of rounds, in microseconds and MB/s."""

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
    direct = routes[0]
    base, speed = min(direct.latencies), max(direct.throughputs)
    added = {route.name: min(route.latencies) - base for route in routes}
    for route in routes:
        latency, throughput = min(route.latencies), max(route.throughputs)
        print(  # noqa: T201 (a script's output)
            f"{route.name:9} round trip {latency:6.0f} us ({latency / base:4.1f} x direct, "
            f"+{added[route.name]:4.0f} us)   bulk {throughput:6.0f} MB/s ({throughput / speed:4.2f} x direct)"
        )
    real = next((route for route in routes if route.name == "real"), None)
    if real is not None:
        embedded = routes[1]
        faster = max(embedded.throughputs) / max(real.throughputs)
        print(  # noqa: T201 (a script's output)
            f"embedded / real: added latency {added['embedded'] / added['real']:.2f}, throughput {faster:.2f}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--count", type=int, default=2000, help="round trips per round (%(default)s)")
    parser.add_argument("--megabytes", type=int, default=200, help="sent per round (%(default)s)")
    options = parser.parse_args()
    show(asyncio.run(measure(options.rounds, options.count, options.megabytes)))


if __name__ == "__main__":
    main()
