import os

import openai
from fastapi import APIRouter, HTTPException, Request

from src.models.requests import ChatCompletionRequest
from src.models.responses import ChatCompletionResponse, UsageInfo
from src.services.llm import add_cost, calculate_cost, call_llm, cost_today
from src.services.rate_limiter import get_client_ip, is_rate_limited

router = APIRouter()


@router.post("/api/v1/chat/completions", response_model=ChatCompletionResponse)
async def chat_completions(request: Request, body: ChatCompletionRequest):
    # Rate limiting
    limit = int(os.environ.get("RATE_LIMIT_REQUESTS", 100))
    window = int(os.environ.get("RATE_LIMIT_WINDOW", 60))
    wait = is_rate_limited(get_client_ip(request), limit, window)
    if wait:
        raise HTTPException(
            status_code=429, detail="Too many requests", headers={"Retry-After": str(wait)}
        )

    # Cost limit
    if cost_today() >= float(os.environ.get("DAILY_COST_LIMIT", 10.0)):
        raise HTTPException(status_code=429, detail="Daily cost limit exceeded")

    # Max tokens
    max_allowed = int(os.environ.get("MAX_TOKENS_PER_REQUEST", 4096))
    if body.max_tokens and body.max_tokens > max_allowed:
        raise HTTPException(status_code=400, detail=f"max_tokens must be <= {max_allowed}")
    max_tokens = body.max_tokens or min(1024, max_allowed)

    model = body.model or os.environ.get("DEFAULT_MODEL", "gpt-4o-mini")
    messages = [{"role": m.role.value, "content": m.content} for m in body.messages]

    try:
        response, latency_ms = await call_llm(messages, model, body.temperature, max_tokens)
    except openai.RateLimitError:
        raise HTTPException(status_code=429, detail="LLM rate limit exceeded")
    except openai.APITimeoutError:
        raise HTTPException(status_code=504, detail="LLM timeout")
    except openai.BadRequestError:
        raise HTTPException(status_code=400, detail="Bad request to LLM")
    except openai.APIConnectionError:
        raise HTTPException(status_code=503, detail="LLM unavailable")
    except openai.OpenAIError:
        raise HTTPException(status_code=502, detail="LLM error")

    usage = response.usage
    cost = calculate_cost(response.model, usage.prompt_tokens, usage.completion_tokens)
    add_cost(cost)
    return ChatCompletionResponse(
        content=response.choices[0].message.content,
        model=response.model,
        usage=UsageInfo(
            input_tokens=usage.prompt_tokens,
            output_tokens=usage.completion_tokens,
            total_tokens=usage.total_tokens,
        ),
        cost_usd=cost,
        latency_ms=latency_ms,
    )
