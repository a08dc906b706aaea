import asyncio
from dataclasses import asdict, dataclass

import httpx

from api.failures import Failure
from api.resilience import CircuitBreaker, with_retries

PRICES = {
    "groq-kimi-primary": (1.0e-6, 3.0e-6),
    "gpt-4o-secondary": (2.5e-6, 1.0e-5),
    "gemini-third": (3.0e-7, 2.5e-6),
    "openrouter-fallback": (1.0e-6, 3.0e-6),
}


@dataclass(frozen=True)
class Prompt:
    model: str
    prompt: str
    system_prompt: str | None = None
    temperature: float = 0.7
    max_tokens: int = 1000

    def payload(self) -> dict:
        messages = [{"role": "user", "content": self.prompt}]
        if self.system_prompt:
            messages.insert(0, {"role": "system", "content": self.system_prompt})
        return {
            "model": self.model, "messages": messages, "temperature": self.temperature, "max_tokens": self.max_tokens,
        }


@dataclass(frozen=True)
class Completion:
    response: str
    model: str
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    cost: float

    def as_dict(self) -> dict:
        return asdict(self)


class Gateway:
    def __init__(self, url: str, breaker: CircuitBreaker, deadline: float) -> None:
        self._client = httpx.AsyncClient(base_url=url, timeout=httpx.Timeout(None, connect=4.0), limits=httpx.Limits(max_connections=200))
        self._breaker = breaker
        self._deadline = deadline

    async def complete(self, prompt: Prompt) -> Completion:
        until = asyncio.get_running_loop().time() + self._deadline

        async def call() -> Completion:
            try:
                async with asyncio.timeout_at(until):
                    response = await self._client.post("/v1/chat/completions", json=prompt.payload())
            except (TimeoutError, httpx.ReadTimeout, httpx.PoolTimeout):
                raise Failure(504, "model_timeout", "The model did not answer in time.", ill=True) from None
            except httpx.TransportError as error:
                raise Failure(503, "model_unreachable", "The model cannot be reached.", retry=True, ill=True) from error
            if not response.is_success:
                raise _refusal(response)
            return _read(prompt.model, response)

        return await with_retries(lambda: self._breaker.run(call), until=until)

    async def close(self) -> None:
        await self._client.aclose()


def _refusal(response: httpx.Response) -> Failure:
    status = response.status_code
    if status == 429:
        try:
            after = float(response.headers.get("retry-after", ""))
        except ValueError:
            after = 2.0
        return Failure(429, "model_rate_limited", "The model is asked too much.", retry=True, retry_after=after)
    if status >= 500 or status == 408:
        return Failure(502, "model_failed", "The model failed.", retry=True, ill=True)
    if status == 404:
        return Failure(404, "unknown_model", "There is no such model at the gateway.")
    if status in {401, 403}:
        return Failure(502, "gateway_login", "The gateway did not let us in.")
    return Failure(400, "model_refused", "The model refused this request.")


def _read(model: str, response: httpx.Response) -> Completion:
    try:
        data = response.json()
        text, usage = data["choices"][0]["message"]["content"], data["usage"]
        sent, received = int(usage["prompt_tokens"]), int(usage["completion_tokens"])
        if not isinstance(text, str):
            raise TypeError("content")
    except (ValueError, LookupError, TypeError) as error:
        raise Failure(502, "model_gibberish", "The model's answer was not understood.", ill=True) from error
    price_in, price_out = PRICES[model]
    return Completion(text, model, sent, received, sent + received, sent * price_in + received * price_out)
