import hmac
import time
from collections import OrderedDict
from contextlib import asynccontextmanager
from typing import Annotated

import jwt
import structlog
from fastapi import Depends, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, Gauge, generate_latest
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from api import llm, logging_config, ready
from api.errors import APIError, error_response
from api.guard import Guard, RateLimiter
from api.settings import settings
from api.telemetry import Telemetry

logging_config.configure()
log = structlog.get_logger("api")
CACHED = Gauge("cached_answers", "Answers in the cache")
KEY = settings.jwt_secret_key.get_secret_value()
telemetry: Telemetry


@asynccontextmanager
async def lifespan(_app):
    global telemetry
    telemetry = Telemetry()
    telemetry.start()
    yield
    log.info("shutdown", step="telemetry")
    await telemetry.close()
    await llm.client.close()
    log.info("shutdown", step="done")


app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, lifespan=lifespan)
app.add_middleware(CORSMiddleware, allow_origins=settings.origins, allow_methods=["GET", "POST", "DELETE"],
                   allow_headers=["Authorization", "Content-Type", "X-Request-ID"])
app.add_middleware(Guard, limiter=RateLimiter(settings.rate_limit_per_minute), max_body=settings.max_body)


@app.exception_handler(APIError)
async def on_api_error(_request: Request, error: APIError):
    return error_response(error)


@app.exception_handler(HTTPException)
async def on_http(_request: Request, error: HTTPException):
    return error_response(APIError(error.status_code, "http", str(error.detail)))


@app.exception_handler(RequestValidationError)
async def on_validation(_request: Request, error: RequestValidationError):
    wrong = [{"field": str(one["loc"][-1]), "rule": one["type"]} for one in error.errors()]
    return error_response(APIError(400, "invalid_input", f"Rules broken: {wrong}"))


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)


class Login(Strict):
    username: str = Field(pattern=r"^[a-z]{1,20}$")
    password: str = Field(min_length=1, max_length=200)


class Generate(Strict):
    model: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+){1,4}$", max_length=40)
    prompt: str = Field(min_length=1, max_length=1999, pattern=r"^[^\x00-\x08]*$")
    system_prompt: str | None = Field(None, max_length=1999)
    temperature: float = Field(0.5, ge=0, le=1, allow_inf_nan=False)
    max_tokens: int = Field(256, ge=1, le=4096)


def authenticated(request: Request) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme != "Bearer" or not token:
        raise APIError(401, "unauthenticated", "A token is needed.")
    try:
        claims = jwt.decode(token, KEY, algorithms=["HS256"], audience="api", issuer="api",
                            options={"require": ["exp", "iat", "sub", "aud", "iss"]})
    except jwt.PyJWTError:
        raise APIError(401, "unauthenticated", "The token is not accepted.") from None
    return claims["sub"]


User = Annotated[str, Depends(authenticated)]


class ExactCache:
    def __init__(self, size: int, seconds: float) -> None:
        self.size, self.seconds = size, seconds
        self.entries: OrderedDict[str, tuple[float, dict]] = OrderedDict()
        self.hits = self.misses = 0

    def get(self, key: str) -> dict | None:
        at, answer = self.entries.get(key, (0.0, None))
        if answer is None or time.monotonic() - at > self.seconds:
            self.misses += 1
            return None
        self.hits += 1
        self.entries.move_to_end(key)
        return answer

    def put(self, key: str, answer: dict) -> None:
        self.entries[key] = (time.monotonic(), answer)
        if len(self.entries) > self.size:
            self.entries.popitem(last=False)
        CACHED.set(len(self.entries))


cache = ExactCache(1000, 600)


@app.post("/auth/login")
async def login(body: Login):
    known = {"admin": settings.auth_admin_password, "user": settings.auth_user_password}.get(body.username)
    given = body.password.encode("utf-8", "ignore")
    if known is None or not hmac.compare_digest(known.get_secret_value().encode(), given):
        raise APIError(401, "wrong_credentials", "Wrong username or password.")
    now = int(time.time())
    claims = {"sub": body.username, "iat": now, "exp": now + 1200, "aud": "api", "iss": "api"}
    return {"access_token": jwt.encode(claims, KEY, algorithm="HS256"), "token_type": "Bearer"}


@app.get("/auth/me")
async def me(user: User):
    return {"user": user}


@app.post("/llm/generate")
async def generate(body: Generate, user: User):
    if body.model not in llm.PRICES:
        raise APIError(404, "unknown_model", "The model is not on offer.")
    began = time.monotonic()
    key = body.model_dump_json()
    answer = cache.get(key)
    cached = answer is not None
    if answer is None:
        messages = [{"role": "system", "content": body.system_prompt}] if body.system_prompt else []
        messages.append({"role": "user", "content": body.prompt})
        answer = await llm.complete(body.model, messages, temperature=body.temperature, max_tokens=body.max_tokens)
        cache.put(key, answer)
    telemetry.add({**answer, "prompt": body.prompt, "user": user, "cached": cached, "seconds": time.monotonic() - began})
    return {**answer, "cached": cached}


@app.get("/llm/models")
@app.get("/v1/models")
async def models():
    return {"object": "list", "data": [{"id": one, "object": "model"} for one in llm.PRICES]}


@app.get("/llm/cache/stats")
async def cache_stats(_user: User):
    return {"entries": len(cache.entries), "hits": cache.hits, "misses": cache.misses}


@app.delete("/llm/cache/clear")
async def cache_clear(user: User):
    if user != "admin":
        raise APIError(403, "forbidden", "Only the administrator may do that.")
    cache.entries.clear()
    return {"entries": 0}


@app.get("/health")
async def health():
    parts = await ready.report()
    return {"status": "ok", **{name: part["state"] for name, part in parts.items()}}


@app.get("/health/detailed")
async def detailed(_user: User):
    parts = await ready.report()
    ok = all(part["state"] == "up" for part in parts.values())
    return JSONResponse({"status": "up" if ok else "down", "components": parts}, 200 if ok else 503)


@app.get("/metrics")
async def metrics():
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
