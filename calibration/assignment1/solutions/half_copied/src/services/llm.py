import asyncio
import logging
import time
from datetime import date

import httpx
import openai
from openai import AsyncOpenAI

from src.config.settings import get_api_key

logger = logging.getLogger(__name__)

MAX_RETRIES = 5
RETRY_DELAY = 1  # seconds

PRICING = {
    "gpt-4o-mini": {"input": 0.15 / 1_000_000, "output": 0.60 / 1_000_000},
    "gpt-4o": {"input": 2.50 / 1_000_000, "output": 10.00 / 1_000_000},
    "claude-3-5-sonnet": {"input": 3.00 / 1_000_000, "output": 15.00 / 1_000_000},
    "claude-3-opus": {"input": 15.00 / 1_000_000, "output": 75.00 / 1_000_000},
}

daily_costs = {}


def get_client() -> AsyncOpenAI:
    return AsyncOpenAI(api_key=get_api_key(), max_retries=0, timeout=10)


def calculate_cost(model: str, input_tokens: int, output_tokens: int):
    pricing = PRICING.get(model)
    if pricing is None:
        return None
    return input_tokens * pricing["input"] + output_tokens * pricing["output"]


def add_cost(cost):
    today = date.today().isoformat()
    daily_costs[today] = daily_costs.get(today, 0.0) + (cost or 0.0)


def cost_today() -> float:
    return daily_costs.get(date.today().isoformat(), 0.0)


async def call_llm(messages, model, temperature, max_tokens):
    """Call the LLM with retry logic."""
    client = get_client()
    last_error = None
    for attempt in range(MAX_RETRIES + 1):
        try:
            start = time.time()
            response = await client.chat.completions.create(
                model=model,
                messages=messages,
                temperature=temperature,
                max_tokens=max_tokens,
            )
            latency_ms = (time.time() - start) * 1000
            return response, latency_ms
        except openai.OpenAIError as e:
            last_error = e
            logger.error(f"Attempt {attempt + 1} failed: {e}")
            if attempt < MAX_RETRIES:
                await asyncio.sleep(RETRY_DELAY)
    raise last_error


async def check_provider() -> bool:
    client = get_client()
    try:
        async with httpx.AsyncClient(timeout=5) as http:
            response = await http.get(
                f"{str(client.base_url).rstrip('/')}/models",
                headers={"Authorization": f"Bearer {get_api_key()}"},
            )
        return response.status_code < 500
    except httpx.HTTPError:
        return False
