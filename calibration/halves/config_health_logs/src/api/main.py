import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import Annotated, Literal

from fastapi import FastAPI, HTTPException, Response
from fastapi.middleware.cors import CORSMiddleware
from prometheus_client import CONTENT_TYPE_LATEST, Counter, generate_latest
from pydantic import AfterValidator, BaseModel, Field

from api import logs

logs.configure()

from api import errors  # noqa: E402
from api.cache import Cache  # noqa: E402
from api.health import Health  # noqa: E402
from api.llm import LLM, PRICES, Generation  # noqa: E402
from api.middleware import RequestId  # noqa: E402
from api.security import User, login  # noqa: E402
from api.settings import settings  # noqa: E402
from api.tracing import Tracer  # noqa: E402

log = logging.getLogger("api")
GENERATIONS = Counter("llm_generations_total", "Answers given", ["model", "cached"])

llm = LLM(settings)
cache = Cache(settings.base("qdrant_url"))
tracer = Tracer(settings.base("mlflow_tracking_uri"))
health = Health(settings)


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    yield
    await cache.close()


app = FastAPI(title="LLM API", lifespan=lifespan)
errors.install(app)
app.add_middleware(
    CORSMiddleware,
    allow_origins=settings.cors_origins,
    allow_methods=["GET", "POST", "DELETE"],
    allow_headers=["Authorization", "Content-Type", "X-Request-ID"],
)
app.add_middleware(RequestId)


def encodable(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("not valid Unicode") from None
    return text


Text = Annotated[str, AfterValidator(encodable)]


class Login(BaseModel):
    username: Text
    password: Text


class Prompt(BaseModel):
    model: Literal["groq-kimi-primary", "gpt-4o-secondary", "gemini-third", "openrouter-fallback"]
    prompt: Annotated[Text, Field(min_length=1)]
    system_prompt: Text | None = None
    temperature: float = Field(0.7, ge=0, le=2)
    max_tokens: int = Field(1024, ge=1, le=32_000)


@app.post("/auth/login")
async def auth_login(body: Login) -> dict:
    token = login(body.username, body.password)
    if token is None:
        raise HTTPException(401, "Wrong username or password.")
    return {"access_token": token, "token_type": "bearer"}


@app.get("/auth/me")
async def me(user: User) -> dict:
    return {"username": user}


@app.post("/llm/generate")
async def generate(body: Prompt, user: User) -> Generation:
    began = time.time()
    question = body.model_dump_json()
    if known := await cache.get(question):
        generation = Generation(**{**known, "cached": True})
    else:
        messages = [{"role": "system", "content": body.system_prompt}] if body.system_prompt else []
        messages.append({"role": "user", "content": body.prompt})
        try:
            generation = await llm.generate(
                body.model, messages, temperature=body.temperature, max_tokens=body.max_tokens
            )
        except Exception as e:
            log.error("model call failed: %s", type(e).__name__)
            raise HTTPException(502, "The model call failed.") from e
        cache.put(question, asdict(generation))
    GENERATIONS.labels(body.model, str(generation.cached).lower()).inc()
    await tracer.record(user=user, prompt=body.prompt, seconds=round(time.time() - began, 3), **asdict(generation))
    log.info("answered", extra={"model": body.model, "tokens": generation.total_tokens, "cached": generation.cached})
    return generation


@app.get("/llm/models")
@app.get("/v1/models")
async def models() -> dict:
    return {"object": "list", "data": [{"id": name, "object": "model"} for name in PRICES]}


@app.get("/llm/cache/stats")
async def cache_stats(_: User) -> dict:
    return {"hits": cache.hits, "misses": cache.misses}


@app.delete("/llm/cache/clear")
async def cache_clear(_: User) -> dict:
    await cache.clear()
    return {"status": "cleared"}


@app.get("/health")
async def alive() -> dict:
    return {"status": "alive"}


@app.get("/health/detailed")
async def detailed(response: Response) -> dict:
    report = await health.check()
    ready = all(report.values())
    response.status_code = 200 if ready else 503
    return {"status": "ready" if ready else "not ready", "checks": report}


@app.get("/metrics")
async def metrics() -> Response:
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
