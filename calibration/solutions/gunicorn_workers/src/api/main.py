import asyncio
import hmac
import logging
import re
import time
import uuid
from contextlib import asynccontextmanager
from typing import Annotated, Literal

import jwt
from fastapi import Depends, FastAPI, Header, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, generate_latest, multiprocess
from pydantic import BaseModel, Field, field_validator
from starlette.exceptions import HTTPException

from api import settings as config
from api.dependencies import Dependencies
from api.errors import AppError, respond
from api.logging_setup import request_id
from api.traces import Traces
from api.upstream import PRICES, Upstream

settings = config.get()
KEY = settings.jwt_secret_key.get_secret_value()
log = logging.getLogger("api")
TOKENS = Counter("llm_tokens", "Tokens", ["model"])
cache: dict[tuple, dict] = {}
counters = {"hits": 0, "misses": 0}


@asynccontextmanager
async def lifespan(app: FastAPI):
    app.state.upstream = Upstream(settings.url("litellm_url"))
    app.state.traces = Traces(settings.url("mlflow_tracking_uri"))
    app.state.dependencies = Dependencies({
        "qdrant": settings.url("qdrant_url") + "/healthz",
        "litellm": settings.url("litellm_url") + "/health/liveliness",
        "mlflow": settings.url("mlflow_tracking_uri") + "/health",
    })
    yield
    log.info("worker is shutting down")
    await app.state.traces.close()
    await app.state.upstream.http.aclose()


app = FastAPI(title="LLM API", lifespan=lifespan)


class Envelope:
    """Request id, body limit and access record, as pure ASGI."""

    LIMIT = 1024 * 1024
    ID = re.compile(r"[0-9A-Za-z-]{8,64}")

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        own = headers.get(b"x-request-id", "")
        if not self.ID.fullmatch(own):
            own = str(uuid.uuid4())
        request_id.set(own)
        started, status = time.perf_counter(), None

        async def reply(message):
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message.setdefault("headers", []).append((b"x-request-id", own.encode()))
            await send(message)

        try:
            chunks = await asyncio.wait_for(self.read(headers, receive), 15)
        except (AppError, TimeoutError) as error:
            if isinstance(error, TimeoutError):
                error = AppError(408, "slow_body", "The body did not arrive in time.")
            response = respond(error)
            response.headers["connection"] = "close"
            await response(scope, receive, reply)
        else:
            try:
                await self.app(scope, lambda: self.replay(chunks, receive), reply)
            except Exception:
                log.exception("unhandled")
                if status is None:
                    await respond(AppError(500, "internal", "Unexpected."))(scope, receive, reply)
        level = logging.ERROR if (status or 500) >= 500 else logging.INFO
        context = {"method": scope["method"], "path": scope["path"], "status": status,
                   "ms": round((time.perf_counter() - started) * 1000)}
        log.log(level, "handled", extra={"context": context})

    async def read(self, headers, receive):
        too_large = AppError(413, "too_large", "A body may have 1 MiB.")
        if int(headers.get(b"content-length", 0)) > self.LIMIT:
            raise too_large
        chunks, size, more = [], 0, True
        while more:
            message = await receive()
            size += len(message.get("body", b""))
            if size > self.LIMIT:
                raise too_large
            chunks.append(message)
            more = message.get("more_body", False)
        return chunks

    @staticmethod
    async def replay(chunks, receive):
        return chunks.pop(0) if chunks else await receive()


app.add_middleware(CORSMiddleware, allow_origins=settings.cors_origins, allow_credentials=True,
                   allow_methods=["GET", "POST", "DELETE"], allow_headers=["authorization", "content-type"])
app.add_middleware(Envelope)


@app.exception_handler(AppError)
async def on_app_error(_: Request, error: AppError):
    return respond(error)


@app.exception_handler(HTTPException)
async def on_http_exception(_: Request, error: HTTPException):
    return respond(AppError(error.status_code, "http", str(error.detail)))


@app.exception_handler(RequestValidationError)
async def on_invalid(_: Request, error: RequestValidationError):
    return respond(AppError(422, "invalid", "; ".join(f"{one['loc'][-1]}: {one['type']}" for one in error.errors())))


class Credentials(BaseModel):
    username: Literal["admin", "user"] | str
    password: str


class Query(BaseModel):
    model: Literal["groq-kimi-primary", "gpt-4o-secondary", "gemini-third", "openrouter-fallback"]
    prompt: str = Field(min_length=1, max_length=200_000)
    system_prompt: str | None = None
    temperature: float = Field(0.5, ge=0, le=2)
    max_tokens: int = Field(1024, ge=1, le=65_536)

    @field_validator("prompt", "system_prompt")
    @classmethod
    def valid_unicode(cls, text):
        if text and text.encode("utf-8", "replace").decode() != text:
            raise ValueError("not valid Unicode")
        return text


def user(authorization: Annotated[str | None, Header()] = None) -> str:
    kind, _, token = (authorization or "").partition(" ")
    if kind.lower() == "bearer":
        try:
            return jwt.decode(token, KEY, algorithms=["HS256"], options={"require": ["exp", "sub"]})["sub"]
        except jwt.PyJWTError:
            pass
    raise AppError(401, "unauthorized", "A valid token is required.")


User = Annotated[str, Depends(user)]


@app.post("/auth/login")
async def login(credentials: Credentials):
    known = {"admin": settings.auth_admin_password, "user": settings.auth_user_password}.get(credentials.username)
    given = credentials.password.encode("utf-8", "replace")
    if known is None or not hmac.compare_digest(known.get_secret_value().encode(), given):
        raise AppError(401, "bad_login", "Wrong username or password.")
    token = jwt.encode({"sub": credentials.username, "exp": int(time.time()) + 3600}, KEY, "HS256")
    return {"access_token": token, "token_type": "bearer", "expires_in": 3600}


@app.get("/auth/me")
async def me(name: User):
    return {"username": name}


@app.post("/llm/generate")
async def generate(query: Query, name: User):
    key = tuple(query.model_dump().values())
    answer = cache.get(key)
    counters["hits" if answer else "misses"] += 1
    if answer is None:
        messages = [{"role": "user", "content": query.prompt}]
        if query.system_prompt:
            messages.insert(0, {"role": "system", "content": query.system_prompt})
        answer = await app.state.upstream.chat({
            "model": query.model, "messages": messages,
            "temperature": query.temperature, "max_tokens": query.max_tokens,
        })
        cache[key] = answer
    TOKENS.labels(query.model).inc(answer["total_tokens"])
    app.state.traces.add({"prompt": query.prompt, "user": name, **answer})
    return answer


@app.get("/llm/models")
@app.get("/v1/models")
async def models():
    return {"object": "list", "data": [{"id": model, "object": "model"} for model in PRICES]}


@app.get("/llm/cache/stats")
async def cache_stats(_: User):
    return {"entries": len(cache), **counters}


@app.delete("/llm/cache/clear")
async def cache_clear(_: User):
    cache.clear()
    return {"cleared": True}


@app.get("/health")
async def health():
    return {"status": "ok"}


@app.get("/health/detailed")
async def health_detailed():
    flags = await app.state.dependencies.healthy()
    ok = all(flags.values())
    return JSONResponse({"ready": ok, **flags}, 200 if ok else 503)


@app.get("/metrics")
async def metrics():
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry)
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)
