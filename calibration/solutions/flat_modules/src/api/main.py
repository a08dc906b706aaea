import contextlib
from typing import Literal, Optional

from fastapi import BackgroundTasks, Depends, FastAPI, Response
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, Counter, generate_latest
from pydantic import BaseModel, Field, field_validator

import auth
import cache
import config
import health
import llm
import logs
import problems
import tracking
from middleware import Gate

logs.setup()
log = logs.get("main")
REQUESTS = Counter("generate_requests", "Generations", ["model", "cached"])


@contextlib.asynccontextmanager
async def lifespan(app):
    log.info("started", environment=config.ENVIRONMENT)
    yield
    log.info("shutting down")
    await llm.client.close()
    await cache.client.close()
    await tracking.client.aclose()
    log.info("bye")


app = FastAPI(title="LLM service", lifespan=lifespan)
problems.install(app)
app.add_middleware(
    CORSMiddleware, allow_origins=config.CORS_ORIGINS, allow_credentials=True, allow_methods=["*"], allow_headers=["*"]
)
app.add_middleware(Gate)


class GenerateRequest(BaseModel):
    model: Literal["groq-kimi-primary", "gpt-4o-secondary", "gemini-third", "openrouter-fallback"]
    prompt: str = Field(min_length=1)
    system_prompt: Optional[str] = None
    temperature: float = Field(default=0.7, ge=0, le=2, allow_inf_nan=False)
    max_tokens: int = Field(default=512, gt=0)

    @field_validator("prompt", "system_prompt")
    @classmethod
    def is_text(cls, value):
        if value is not None and any("\ud800" <= char <= "\udfff" for char in value):
            raise ValueError("no lone surrogates")
        return value


@app.post("/auth/login")
async def login(credentials: auth.Credentials):
    return {"access_token": auth.log_in(credentials), "token_type": "bearer"}


@app.get("/auth/me")
async def me(user=Depends(auth.current_user)):
    return {"username": user, "role": "admin" if user == "admin" else "user"}


@app.post("/llm/generate")
async def generate(body: GenerateRequest, background: BackgroundTasks, user=Depends(auth.current_user)):
    text = body.model_dump_json()
    answer = await cache.lookup(text)
    cached = answer is not None
    if not cached:
        messages = [{"role": "user", "content": body.prompt}]
        if body.system_prompt:
            messages = [{"role": "system", "content": body.system_prompt}] + messages
        answer = await llm.generate(body.model, messages, body.temperature, body.max_tokens)
        background.add_task(cache.store, text, answer)
    background.add_task(tracking.track, {**answer, "prompt": body.prompt, "user": user, "cached": cached})
    REQUESTS.labels(body.model, cached).inc()
    log.info("generated", model=body.model, tokens=answer["total_tokens"], cached=cached)
    return {**answer, "cached": cached}


@app.get("/llm/models")
@app.get("/v1/models")
async def list_models():
    return {"object": "list", "data": [{"id": model, "object": "model", "owned_by": "litellm"} for model in llm.PRICES]}


@app.get("/llm/cache/stats")
async def cache_stats(user=Depends(auth.current_user)):
    return cache.stats


@app.delete("/llm/cache/clear")
async def cache_clear(user=Depends(auth.current_user)):
    await cache.clear()
    return {"message": "cleared"}


@app.get("/health")
async def is_alive():
    return {"status": "healthy"}


@app.get("/health/detailed")
async def is_ready():
    services = await health.report()
    ok = all(services.values())
    content = {"status": "healthy" if ok else "unhealthy", "breaker": llm.breaker.state()}
    content.update({f"{name}_healthy": up for name, up in services.items()})
    return JSONResponse(content, status_code=200 if ok else 503)


@app.get("/metrics")
async def metrics():
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
