"""Whether the service stays whole under load while what it rests on breaks: `python benchmarks/soak.py`.

    python benchmarks/soak.py [--minutes 10] [--rate auto]

The service has a scripted model, a real PostgreSQL, a real Redis and a stand-in for Qdrant, each behind a fault proxy.
The program measures the peak rate for PEAK_SECONDS, then asks at half of it; a third of the requests are streams. Each
backend in turn is slow, gone, reset and hanging, with a pause after each fault. Exits with 1 unless all of this holds:

- Every request has an answer, and every stream ends with `[DONE]` or an error event.
- An answer is a 200. It may be a 502, 503 or 504, or a stream that ends with an error event, if at some time of the
  request the model's proxy was broken or had been healed for less than RECOVERY_SECONDS. So may it if this program, which
  plays the model, stood still for STALL_SECONDS. No other backend excuses a failure: answers are given without them.
- Every 200 has exactly one row of usage in the database, and every row belongs to a request.
- At the end the process has no connection to a caller, none that is half closed, at most MOST_CONNECTIONS to each
  backend, and no more other files open than after the warm-up. Its memory is at most MEMORY_GROWTH above that after the
  warm-up. Both are measured after a pause and a few requests, for idle connections are closed when others are used.
- The log has no traceback, and the service ends when it is told to.
"""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import count, cycle
from pathlib import Path
from typing import Any

from chaos.toxiproxy import ProxyHandle
from tests.api.deployment import Backends, Instance, Paced, identify, run_backends, run_instance
from tests.api.load import NO_LIMITS, Asked, Callers

PEAK_SECONDS = 10.0
CYCLE_SECONDS = 200.0
"""For all faults of all backends, half of it pauses; less if the run is shorter."""
RECOVERY_SECONDS = 3.0
"""The breaker's pause, with time for the call that closes it."""
IDLE_SECONDS = 35.0
"""Longer than idle connections are kept, by the service (15 to 30 s) and by its server (5 s)."""
STALL_SECONDS = 1.0
SETTLING_REQUESTS = 12
MOST_CONNECTIONS = 5
"""To one backend, of a service that answers one request at a time: PostgreSQL's pool has that many."""
MEMORY_GROWTH = 16 * 2**20
"""Bytes. A burst of waiting requests leaves some memory that Python does not give back."""
PAGE = os.sysconf("SC_PAGE_SIZE")
VARIABLES = {
    "LLM_DEADLINE": "5",
    "BREAKER_COOLDOWN": "1",
    **NO_LIMITS,
}
MODELS, STALLED = "litellm", "stalled"
BACKENDS = {MODELS, "qdrant", "redis", "postgres"}
ESTABLISHED, LISTEN = "01", "0A"


@dataclass(frozen=True, slots=True)
class Fault:
    backend: str
    kind: str
    began: float
    ended: float


@dataclass(frozen=True, slots=True)
class Size:
    """What a process holds: bytes resident, open files, and connections by what is at their other end."""

    memory: int
    files: int
    connections: Counter[str]

    @property
    def other_files(self) -> int:
        return self.files - self.connections.total()

    def __str__(self) -> str:
        connected = ", ".join(f"{name} {number}" for name, number in sorted(self.connections.items()))
        return f"{self.memory / 2**20:6.1f} MB, {self.files} open files, connections: {connected or 'none'}"


async def break_in_turn(proxies: Mapping[str, ProxyHandle], faults: list[Fault], *, period: float) -> None:
    """Break each backend in each way, for half of a period each, until cancelled; all are healed then."""
    for kind, name in cycle((kind, name) for kind in KINDS for name in proxies):
        await asyncio.sleep(period / 2)
        began = time.monotonic()
        try:
            await KINDS[kind](proxies[name])
            await asyncio.sleep(period / 2)
        finally:
            await _heal(proxies[name])
            faults.append(Fault(name, kind, began, time.monotonic()))


async def note_stalls(faults: list[Fault]) -> None:
    """Count it as a fault of the model, which this program plays, when the program stands still; until cancelled."""
    while True:
        began = time.monotonic()
        await asyncio.sleep(STALL_SECONDS / 10)
        if (ended := time.monotonic()) > began + STALL_SECONDS:
            faults.append(Fault(MODELS, STALLED, began, ended))


KINDS: dict[str, Callable[[ProxyHandle], Any]] = {
    "slow": lambda proxy: proxy.add_toxic("latency", latency=1000, jitter=500),
    "gone": lambda proxy: proxy.disable(),
    "reset": lambda proxy: proxy.add_toxic("reset_peer", timeout=0),
    "hanging": lambda proxy: proxy.add_toxic("timeout", timeout=0),
}


async def _heal(proxy: ProxyHandle) -> None:
    for toxic in (await proxy.get()).toxics:
        await proxy.remove_toxic(toxic.name)
    await proxy.enable()


def measure(service: Instance, backends: Backends) -> Size:
    process = Path(f"/proc/{service.pid}")
    names = {proxy.port: name for name, proxy in backends.proxies.items()}
    memory = int((process / "statm").read_text().split()[1]) * PAGE
    files = []
    for link in (process / "fd").iterdir():
        with suppress(FileNotFoundError):
            files.append(str(link.readlink()))
    connections: Counter[str] = Counter()
    for line in (process / "net/tcp").read_text().splitlines()[1:]:
        _, _, remote, state, *_ = columns = line.split()
        if state != LISTEN and f"socket:[{columns[9]}]" in files:
            name = names.get(int(remote.partition(":")[2], 16), "callers")
            connections[name if state == ESTABLISHED else f"{name}, half closed"] += 1
    return Size(memory, len(files), connections)


async def settle(callers: Callers) -> None:
    """Let the service close the connections that it has no use for."""
    await asyncio.sleep(IDLE_SECONDS)
    async with callers.connected():
        for _ in range(SETTLING_REQUESTS):
            await callers.ask()
    await asyncio.sleep(1)


async def soak(minutes: float, rate: float | None) -> bool:
    with tempfile.TemporaryDirectory() as name:
        async with (
            run_backends() as backends,
            run_instance(backends.variables | VARIABLES, Path(name)) as service,
        ):
            backends.model.default(Paced())
            faults: list[Fault] = []
            print(f"at the start      {measure(service, backends)}")
            await service.wait_until_delivered()
            callers = Callers(service.url, await identify(service.url))
            async with callers.connected():
                peak = await callers.saturate(PEAK_SECONDS)
            await settle(callers)
            warm = measure(service, backends)
            print(f"after the warm-up {warm}")
            rate = rate or peak / 2
            print(f"{peak:.0f} answers a second at the peak; asking {rate:.0f} a second", flush=True)
            async with callers.connected():
                await _load(callers, service, backends, faults, rate=rate, minutes=minutes)
            await settle(callers)
            final = measure(service, backends)
            print(f"at the end        {final}")
            await service.wait_until_delivered()
            rows = await backends.counted()
            exit_status = await service.stop()
            logged = service.log.read_text()
    problems = [
        *_failures(callers.asked, faults),
        *_lost_usage(callers.asked, rows),
        *_leaks(warm, final),
    ]
    if tracebacks := sum('"exception": ' in line for line in logged.splitlines()):
        problems.append(f"{tracebacks} tracebacks in the log")
    if exit_status not in {0, -15}:
        problems.append(f"the service ended with {exit_status}")
    print("\n".join(["", *problems]) if problems else "\nclean")
    return not problems


async def _load(
    callers: Callers,
    service: Instance,
    backends: Backends,
    faults: list[Fault],
    *,
    rate: float,
    minutes: float,
) -> None:
    seconds = 60 * minutes
    period = min(seconds, CYCLE_SECONDS) / (len(KINDS) * len(backends.proxies))

    async def report_each_minute() -> None:
        for minute in count(1):
            await asyncio.sleep(60)
            print(f"minute {minute:<11}{measure(service, backends)}", flush=True)

    async with asyncio.TaskGroup() as group:
        beside = [
            group.create_task(report_each_minute()),
            group.create_task(note_stalls(faults)),
            group.create_task(break_in_turn(backends.proxies, faults, period=period)),
        ]
        async with callers.asking(rate):
            await asyncio.sleep(seconds)
        for task in beside:
            task.cancel()


def _failures(asked: Sequence[Asked], faults: Sequence[Fault]) -> Iterator[str]:
    """Print how requests ended; give those that ended in a way that nothing excuses."""
    broken = [fault for fault in faults if fault.backend == MODELS]
    ends: Counter[str] = Counter()
    unexplained: list[Asked] = []
    for one in asked:
        ends[f"{one.status or 'no answer'}{f' {one.failed}' if one.failed else ''}"] += 1
        excused = any(
            one.began < fault.ended + RECOVERY_SECONDS and one.ended > fault.began for fault in broken
        )
        well = one.status == 200 and one.failed is None
        if not one.whole or not (well or (excused and one.status in {200, 502, 503, 504})):
            unexplained.append(one)
    stalls = sum(fault.kind == STALLED for fault in faults)
    print(
        f"{len(asked)} requests, {len(faults) - stalls} faults, {len(broken) - stalls} of them the model's,"
        f" {stalls} stalls of this program"
    )
    for end, number in ends.most_common():
        print(f"{number:8} {end}")
    if unexplained:
        yield f"{len(unexplained)} requests ended in a way that no fault explains, such as:"
    for one in unexplained[:10]:
        before = [fault for fault in faults if fault.began < one.ended][-1:]
        said = f"{before[0].kind} {before[0].backend} {one.began - before[0].began:+.1f} s" if before else ""
        yield f"  {one.request_id}: {one.status}, {one.failed}, after {one.ended - one.began:.2f} s; {said}"


def _lost_usage(asked: Sequence[Asked], rows: Counter[str]) -> Iterator[str]:
    answered = {one.request_id for one in asked if one.status == 200}
    print(
        f"{rows.total()} rows of usage for {len(answered)} answers and {len(asked) - len(answered)} failures"
    )
    if missing := answered - rows.keys():
        yield f"{len(missing)} answers have no row of usage"
    if twice := [request_id for request_id, number in rows.items() if number > 1]:
        yield f"{len(twice)} requests have more than one row of usage"
    if strange := rows.keys() - {one.request_id for one in asked}:
        yield f"{len(strange)} rows of usage belong to no request"


def _leaks(warm: Size, final: Size) -> Iterator[str]:
    if final.memory > warm.memory + MEMORY_GROWTH:
        yield f"memory grew by {(final.memory - warm.memory) / 2**20:.1f} MB"
    if final.other_files > warm.other_files:
        yield f"{final.other_files - warm.other_files} more open files than after the warm-up"
    for name, number in final.connections.items():
        if name not in BACKENDS or number > MOST_CONNECTIONS:
            yield f"{number} connections were left: {name}"


def _rate(text: str) -> float | None:
    return None if text == "auto" else float(text)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--rate", type=_rate, default=None, help="requests a second, or auto")
    options = parser.parse_args()
    return 0 if asyncio.run(soak(options.minutes, options.rate)) else 1


if __name__ == "__main__":
    sys.exit(main())
