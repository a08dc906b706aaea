"""Readiness: whether each dependency answers, asked in parallel and not more often than needed."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping

import httpx
import structlog
from pydantic import BaseModel

log = structlog.get_logger("api.health")

Check = Callable[[], Awaitable[None]]


class CheckResult(BaseModel):
    """`error` says what kind of failure it was, and never where the dependency lives."""

    healthy: bool
    latency_ms: float
    error: str | None = None


Report = dict[str, CheckResult]


def http_check(client: httpx.AsyncClient, url: str) -> Check:
    """A check that passes if `GET url` is answered with success."""

    async def check() -> None:
        (await client.get(url)).raise_for_status()

    return check


class HealthChecker:
    """Runs all checks at once, each with a timeout, so that a report takes as long as the slowest and not the sum.

    A report is kept for `ttl` seconds, and callers that come while one is made wait for that one: however many ask,
    a dependency sees one probe in `ttl` seconds.
    """

    def __init__(self, checks: Mapping[str, Check], *, timeout: float = 2.0, ttl: float = 2.0) -> None:
        self._checks = checks
        self._timeout = timeout
        self._ttl = ttl
        self._report: Report = {}
        self._reported_at = -float("inf")
        self._flight: asyncio.Task[Report] | None = None

    async def report(self) -> Report:
        if time.monotonic() - self._reported_at < self._ttl:
            return self._report
        if self._flight is None or self._flight.done():
            self._flight = asyncio.create_task(self._make_report())
        # Shielded: one caller that goes away must not take the report from the others.
        return await asyncio.shield(self._flight)

    async def _make_report(self) -> Report:
        results = await asyncio.gather(*map(self._run, self._checks.values()))
        report = dict(zip(self._checks, results, strict=True))
        self._log_changes(report)
        self._report, self._reported_at = report, time.monotonic()
        return report

    async def _run(self, check: Check) -> CheckResult:
        began = time.perf_counter()
        error = None
        try:
            async with asyncio.timeout(self._timeout):
                await check()
        except TimeoutError:
            error = "timeout"
        except httpx.HTTPStatusError as failure:
            error = f"status {failure.response.status_code}"
        except Exception as failure:  # noqa: BLE001  a check that fails in a new way has failed all the same
            error = type(failure).__name__
        latency = round((time.perf_counter() - began) * 1000, 1)
        return CheckResult(healthy=error is None, latency_ms=latency, error=error)

    def _log_changes(self, report: Report) -> None:
        for name, result in report.items():
            before = self._report.get(name)
            if not result.healthy and (before is None or before.healthy):
                log.warning("dependency down", dependency=name, error=result.error)
            elif result.healthy and before is not None and not before.healthy:
                log.info("dependency back", dependency=name)
