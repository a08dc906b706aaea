import asyncio
import logging
import random
import time

import httpx

from api.errors import AppError

log = logging.getLogger("api.upstream")
DEADLINE = 27.0
PRICES = {"groq-kimi-primary": (1, 3), "gpt-4o-secondary": (2.5, 10), "gemini-third": (0.3, 2.5), "openrouter-fallback": (1, 3)}


class Breaker:
    """One for each worker. Opens after `threshold` failures in a row, half-open lets one call through."""

    def __init__(self, threshold: int = 5, rest: float = 10.0) -> None:
        self.threshold, self.rest = threshold, rest
        self.failures, self.open_since, self.probe = 0, 0.0, False

    def admit(self) -> bool:
        if self.failures < self.threshold:
            return False
        left = self.open_since + self.rest - time.monotonic()
        if left > 0 or self.probe:
            raise AppError(503, "circuit_open", "The model is not available.", retry_after=max(1.0, left + 0.5))
        self.probe = True
        return True

    def settle(self, probe: bool, failed: bool | None) -> None:
        was_open = self.failures >= self.threshold
        if probe:
            self.probe = False
        if failed is None or (was_open and not probe):
            return
        if failed:
            self.failures += 1
            if self.failures >= self.threshold:
                self.open_since = time.monotonic()
                log.error("breaker of this worker is open")
        else:
            if was_open:
                log.warning("breaker of this worker is closed")
            self.failures = 0


class Upstream:
    def __init__(self, base_url: str) -> None:
        self.breaker = Breaker()
        self.http = httpx.AsyncClient(base_url=base_url, timeout=httpx.Timeout(DEADLINE, connect=2.0, pool=5.0),
                                      limits=httpx.Limits(max_connections=500, max_keepalive_connections=20))

    async def chat(self, payload: dict) -> dict:
        try:
            async with asyncio.timeout(DEADLINE) as limit:
                return await self._retrying(payload, limit)
        except TimeoutError:
            raise AppError(504, "timeout", "The model took too long.") from None

    async def _retrying(self, payload: dict, limit: asyncio.Timeout) -> dict:
        attempt = 0
        while True:
            try:
                return await self._guarded(payload)
            except AppError as error:
                pause = max(2**attempt * random.uniform(0.75, 1.25), error.retry_after or 0)
                time_left = limit.when() - asyncio.get_running_loop().time()
                if not error.retryable or attempt == 3 or pause > time_left - 1:
                    raise
                attempt += 1
                log.warning("retry %d in %.2f s: %s", attempt, pause, error.code)
                await asyncio.sleep(pause)

    async def _guarded(self, payload: dict) -> dict:
        probe = self.breaker.admit()
        failed: bool | None = None
        began = time.monotonic()
        try:
            answer = await self._post(payload)
            failed = False
            return answer
        except AppError as error:
            failed = error.outage
            raise
        except asyncio.CancelledError:
            # By the deadline: an outage. By the server, because it stops: nothing.
            failed = True if time.monotonic() - began > DEADLINE / 2 else None
            raise
        finally:
            self.breaker.settle(probe, failed)

    async def _post(self, payload: dict) -> dict:
        try:
            response = await self.http.post("/v1/chat/completions", json=payload)
        except httpx.ReadTimeout:
            raise AppError(504, "timeout", "The model took too long.", outage=True) from None
        except httpx.HTTPError as error:
            log.warning("call failed: %s", type(error).__name__)
            raise AppError(502, "unreachable", "The model is not reachable.", retryable=True, outage=True) from None
        status = response.status_code
        if status == 200:
            return self._understood(payload["model"], response)
        if status == 429:
            after = response.headers.get("retry-after", "1")
            raise AppError(429, "rate_limited", "The model is busy.", retryable=True,
                           retry_after=float(after) if after.replace(".", "", 1).isdigit() else 1.0)
        if status >= 500:
            raise AppError(502, "model_error", "The model failed.", retryable=True, outage=True)
        known = {400: (400, "refused"), 422: (422, "refused"), 404: (404, "no_such_model")}
        told, code = known.get(status, (502, "gateway_refused_us"))
        raise AppError(told, code, "The model did not accept the request.")

    def _understood(self, model: str, response: httpx.Response) -> dict:
        try:
            data = response.json()
            usage = {name: int(data["usage"][name]) for name in ("prompt_tokens", "completion_tokens", "total_tokens")}
            price_in, price_out = PRICES[model]
            cost = (usage["prompt_tokens"] * price_in + usage["completion_tokens"] * price_out) / 1e6
            return {"response": "" + data["choices"][0]["message"]["content"], "model": model, **usage, "cost": cost}
        except (ValueError, KeyError, IndexError, TypeError):
            raise AppError(502, "bad_answer", "The model's answer is not understood.", outage=True) from None
