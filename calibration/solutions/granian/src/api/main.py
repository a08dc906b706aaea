import asyncio
import hmac
import logging
import re
import time
from contextlib import asynccontextmanager
from typing import Annotated, Literal
from uuid import uuid4

import jwt
from fastapi import Depends, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.middleware.cors import CORSMiddleware
from prometheus_client import CONTENT_TYPE_LATEST, Counter, generate_latest
from pydantic import AfterValidator, BaseModel, Field
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.middleware.base import BaseHTTPMiddleware

from api import failure as f
from api import log as logs
from api.chat import PRICES, Chat
from api.config import config
from api.runs import Runs
from api.status import Status

log = logs.get("api")
COST = Counter("llm_cost_dollars", "Cost", ["model"])
KEY = config.jwt_secret_key.get_secret_value()
SENSIBLE = re.compile(r"[a-zA-Z0-9-]{1,50}")


@asynccontextmanager
async def lifespan(app: FastAPI):
    logging.captureWarnings(True)
    app.state.chat, app.state.runs, app.state.status = Chat(), Runs(), Status()
    app.state.cache = {}
    app.state.runs.start()
    app.state.status.start()
    log.info("service started", environment=config.environment)
    yield
    log.info("service shuts down")
    await app.state.status.stop()
    await app.state.runs.stop()
    await app.state.chat.sdk.close()


app = FastAPI(lifespan=lifespan, max_body_size=1_000_000)


class Stamp:
    """Around all of FastAPI: its 413 is made outside of what is added with `add_middleware`."""

    def __init__(self, inner):
        self.inner = inner

    async def __call__(self, scope, receive, send):
        if scope["type"] == "http":
            given = Headers(scope=scope).get("x-request-id", "")
            own = given if SENSIBLE.fullmatch(given) else str(uuid4())
            logs.current.set(own)

            async def stamped(message):
                if message["type"] == "http.response.start":
                    message["headers"] = [*message["headers"], (b"x-request-id", own.encode())]
                await send(message)

            await self.inner(scope, receive, stamped)
        else:
            await self.inner(scope, receive, send)


class Outer(BaseHTTPMiddleware):
    async def dispatch(self, request: Request, call_next):
        began = time.monotonic()
        try:
            async with asyncio.timeout(28):
                response = await call_next(request)
        except Exception as error:
            log.error("unhandled", exc_info=error)
            response = f.body(500, "INTERNAL", "Something unexpected happened.")
        tell = log.error if response.status_code >= 500 else log.info
        path = request.url.path.encode("utf-8", "replace").decode()
        tell("request", method=request.method, path=path, status=response.status_code, seconds=round(time.monotonic() - began, 3))
        return response


app.add_middleware(CORSMiddleware, allow_origins=config.cors_origins, allow_methods=["*"], allow_headers=["*"])
app.add_middleware(Outer)


@app.exception_handler(f.Failure)
async def on_failure(_: Request, error: f.Failure):
    return f.body(error.status, error.code, str(error), error.headers)


@app.exception_handler(HTTPException)
async def on_http(_: Request, error: HTTPException):
    return f.body(error.status_code, "HTTP", str(error.detail), dict(error.headers or {}))


@app.exception_handler(RequestValidationError)
async def on_invalid(_: Request, error: RequestValidationError):
    return f.body(422, "INVALID", "Invalid: " + ", ".join(sorted({str(one["loc"][-1]) for one in error.errors()})))


def whole(text: str) -> str:
    text.encode("utf-8", "strict") if text.isascii() else None
    if any(0xD800 <= ord(char) < 0xE000 for char in text):
        raise ValueError("no text")
    return text


Text = Annotated[str, AfterValidator(whole)]


class Login(BaseModel):
    username: Text
    password: Text


class Ask(BaseModel):
    model: Literal["groq-kimi-primary", "gpt-4o-secondary", "gemini-third", "openrouter-fallback"]
    prompt: Annotated[Text, Field(min_length=1)]
    system_prompt: Text | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.7
    max_tokens: Annotated[int, Field(ge=1)] = 2048


def who(request: Request) -> str:
    token = request.headers.get("authorization", "").removeprefix("Bearer ")
    try:
        return jwt.decode(token, KEY, algorithms=["HS256"], options={"require": ["exp", "sub", "iat"]})["sub"]
    except jwt.PyJWTError:
        raise f.NotAllowed("Please log in.", www_authenticate="Bearer") from None


Who = Annotated[str, Depends(who)]


@app.post("/auth/login")
async def login(given: Login):
    passwords = {"admin": config.auth_admin_password, "user": config.auth_user_password}
    wanted = passwords.get(given.username)
    if not wanted or not hmac.compare_digest(wanted.get_secret_value().encode(), given.password.encode()):
        raise f.NotAllowed("Wrong username or password.")
    now = int(time.time())
    return {"access_token": jwt.encode({"sub": given.username, "iat": now, "exp": now + 900}, KEY), "token_type": "bearer"}


@app.get("/auth/me")
async def me(name: Who):
    return {"username": name}


@app.post("/llm/generate")
async def generate(ask: Ask, name: Who):
    state = app.state
    key = ask.model_dump_json()
    if (answer := state.cache.get(key)) is None:
        messages = [{"role": "user", "content": ask.prompt}]
        if ask.system_prompt:
            messages.insert(0, {"role": "system", "content": ask.system_prompt})
        answer = await state.chat(
            model=ask.model, messages=messages, temperature=ask.temperature, max_tokens=ask.max_tokens
        )
        state.cache[key] = answer
    COST.labels(ask.model).inc(answer["cost"])
    state.runs.put(user=name, prompt=ask.prompt, **answer)
    log.info("answered", model=ask.model, tokens=answer["total_tokens"])
    return answer


@app.get("/llm/models")
@app.get("/v1/models")
async def models():
    return {"object": "list", "data": [{"id": name, "object": "model"} for name in PRICES]}


@app.get("/llm/cache/stats")
async def stats(_: Who):
    return {"entries": len(app.state.cache)}


@app.delete("/llm/cache/clear")
async def clear(_: Who):
    app.state.cache.clear()
    return {"entries": 0}


@app.get("/health")
async def health():
    return {"status": "alive"}


@app.get("/health/detailed")
async def detailed():
    known = await app.state.status.report()
    ok = all(one["healthy"] for one in known.values())
    return f.Json({"status": "ok" if ok else "unavailable", "dependencies": known}, 200 if ok else 503)


@app.get("/metrics")
async def metrics():
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


served = Stamp(app)
