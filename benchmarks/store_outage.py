"""What callers notice while PostgreSQL is away and while Redis hangs: `python benchmarks/store_outage.py`.

    python benchmarks/store_outage.py [--rate 150] [--quiet 60] [--away 240] [--hanging 60]

The service has a scripted model, a real PostgreSQL and a real Redis, each behind a fault proxy. The program asks at a
steady rate: for a while all is well, then PostgreSQL refuses connections, then it is back, then Redis hangs. By default
PostgreSQL misses 36,000 rows of usage, as many as ten answers a second make in an hour.

Exits with 1 if an answer is no 200, if one comes more than AWAY_MS (while PostgreSQL is away) or HANGING_MS (while Redis
hangs) later than 99 of 100 do on a good day, or if a row of usage is missing or there twice at the end. The slowest answer
of the good day says what the machine adds of its own.
"""

import argparse
import asyncio
import gc
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import median, quantiles

from tests.api.deployment import identify, run_backends, run_instance
from tests.api.load import NO_LIMITS, Asked, Callers

AWAY_MS = 50.0
HANGING_MS = 25.0
PEAK_SECONDS = 5.0


@dataclass(frozen=True)
class Phase:
    """What was asked in a part of the run, and the milliseconds that each answer took."""

    name: str
    asked: Sequence[Asked]

    @cached_property
    def latencies(self) -> list[float]:
        return sorted(1000 * (one.ended - one.began) for one in self.asked)

    @property
    def p99(self) -> float:
        return quantiles(self.latencies, n=100)[98]

    def __str__(self) -> str:
        return (
            f"{self.name:22}{len(self.asked):7} answers   p50 {median(self.latencies):6.1f} ms"
            f"   p99 {self.p99:6.1f} ms   slowest {self.latencies[-1]:6.1f} ms"
        )

    def problems(self, bound: float) -> list[str]:
        """Return what is wrong, if no answer may take longer than `bound` milliseconds."""
        found = []
        if failed := [one for one in self.asked if one.status != 200 or one.failed or not one.whole]:
            found.append(f"{self.name}: {len(failed)} failed, such as {failed[0]}")
        if late := [latency for latency in self.latencies if latency > bound]:
            found.append(f"{self.name}: {len(late)} of {len(self.asked)} took longer than {bound:.0f} ms")
        return found


@contextmanager
def uncollected() -> Iterator[None]:
    """Collect no garbage of this process, which plays the model too: for 100 ms at a time the service would seem late."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


async def measure(options: argparse.Namespace) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        async with (
            run_backends() as backends,
            run_instance(backends.variables | NO_LIMITS, Path(folder)) as service,
        ):
            await service.wait_until_delivered()
            callers = Callers(service.url, await identify(service.url))

            async def phase(name: str, seconds: float) -> Phase:
                before = len(callers.asked)
                with uncollected():
                    async with callers.connected(), callers.asking(options.rate):
                        await asyncio.sleep(seconds)
                done = Phase(name, callers.asked[before:])
                print(done, flush=True)
                return done

            async with callers.connected():
                await callers.saturate(PEAK_SECONDS)
            quiet = await phase("all is well", options.quiet)
            await backends.proxies["postgres"].disable()
            away = await phase("PostgreSQL is away", options.away)
            await backends.proxies["postgres"].enable()
            await service.wait_until_delivered()
            await backends.proxies["redis"].add_toxic("timeout", timeout=0)
            hanging = await phase("Redis hangs", options.hanging)
            await service.wait_until_delivered()
            rows = await backends.counted()
    problems = [
        *quiet.problems(float("inf")),
        *away.problems(quiet.p99 + AWAY_MS),
        *hanging.problems(quiet.p99 + HANGING_MS),
    ]
    if rows != Counter(one.request_id for one in callers.asked):
        problems.append(f"{rows.total()} rows of usage for {len(callers.asked)} answers")
    print("\n".join(problems or [f"{rows.total()} rows of usage, one for each answer; no answer was late"]))
    return not problems


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rate", type=float, default=150.0, help="requests a second")
    for name, seconds in (("quiet", 60.0), ("away", 240.0), ("hanging", 60.0)):
        parser.add_argument(f"--{name}", type=float, default=seconds, metavar="SECONDS")
    return 0 if asyncio.run(measure(parser.parse_args())) else 1


if __name__ == "__main__":
    sys.exit(main())
