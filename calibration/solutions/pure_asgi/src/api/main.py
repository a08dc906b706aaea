import contextlib
import hmac
import logging
import time
from collections import OrderedDict
from typing import Annotated, Literal, TypeVar

import jwt
import msgspec
from prometheus_client import CONTENT_TYPE_LATEST, Counter, Histogram, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from api import errors, logging_json, middleware, settings
from api.breaker import RateBreaker
from api.model import PRICES, Model, price
from api.probes import Probes
from api.tracking import Tracking

config = settings.load()
logging_json.configure()
log = logging.getLogger("api")

ANSWERS = Counter("answers_total", "Answers by model", ["model"])
SECONDS = Histogram("answer_seconds", "Time to an answer")

breaker = RateBreaker()
model = Model(config.litellm_url, breaker)
tracking = Tracking(config.mlflow_tracking_uri)
probes = Probes(
    qdrant=f"{config.qdrant_url}/livez",
    litellm=f"{config.litellm_url}/health/liveliness",
    mlflow=f"{config.mlflow_tracking_uri}/health",
)
cache: OrderedDict[bytes, dict] = OrderedDict()
cache_counts = {"hits": 0, "misses": 0}


T = TypeVar("T")


class Login(msgspec.Struct):
    username: str
    password: str


class Generate(msgspec.Struct, forbid_unknown_fields=True):
    model: Literal["groq-kimi-primary", "gpt-4o-secondary", "gemini-third", "openrouter-fallback"]
    prompt: Annotated[str, msgspec.Meta(min_length=1, max_length=100_000)]
    system_prompt: str | None = None
    temperature: Annotated[float, msgspec.Meta(ge=0, le=2)] = 1.0
    max_tokens: Annotated[int, msgspec.Meta(ge=1, le=16_384)] = 1024


async def decoded(request: Request, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(await request.body(), type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise errors.Invalid from None


async def login(request: Request) -> Response:
    body = await decoded(request, Login)
    known = {"admin": config.auth_admin_password, "user": config.auth_user_password}.get(body.username)
    if known is None or not hmac.compare_digest(known.encode(), body.password.encode()):
        raise errors.Unauthorized("Wrong username or password.")
    claims = {"sub": body.username, "exp": int(time.time()) + 1800}
    return JSONResponse({"access_token": jwt.encode(claims, config.jwt_secret_key, "HS256"), "token_type": "bearer"})


async def me(request: Request) -> Response:
    return JSONResponse({"username": request.state.user})


async def generate(request: Request) -> Response:
    body = await decoded(request, Generate)
    key, began = msgspec.json.encode(body), time.monotonic()
    known = cache.get(key)
    cache_counts["hits" if known else "misses"] += 1
    if known is None:
        messages = [{"role": "system", "content": body.system_prompt}] if body.system_prompt else []
        messages.append({"role": "user", "content": body.prompt})
        completion = await model.ask({
            "model": body.model, "messages": messages, "temperature": body.temperature, "max_tokens": body.max_tokens,
        })
        if not completion.choices:
            raise errors.Gibberish
        usage = completion.usage
        known = {
            "response": completion.choices[0].message.content, "model": body.model,
            **msgspec.to_builtins(usage), "cost": price(body.model, usage),
        }
        cache[key] = known
        if len(cache) > 500:
            cache.popitem(last=False)
    seconds = time.monotonic() - began
    tracking.add({**known, "prompt": body.prompt, "user": request.state.user, "seconds": seconds})
    ANSWERS.labels(body.model).inc()
    SECONDS.observe(seconds)
    log.info("generated", extra={"model": body.model, "tokens": known["total_tokens"]})
    return JSONResponse(known)


async def models(_: Request) -> Response:
    return JSONResponse({"object": "list", "data": [{"id": name, "object": "model"} for name in PRICES]})


async def cache_stats(_: Request) -> Response:
    return JSONResponse({"size": len(cache), **cache_counts})


async def cache_clear(_: Request) -> Response:
    cache.clear()
    return Response(status_code=204)


async def health(_: Request) -> Response:
    return JSONResponse({"status": "alive"})


async def detailed(_: Request) -> Response:
    components = await probes.report()
    ready = all(one["status"] == "up" for one in components.values())
    body = {"status": "healthy" if ready else "unhealthy", "components": components, "circuit": breaker.state}
    return JSONResponse(body, 200 if ready else 503)


async def metrics(_: Request) -> Response:
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


@contextlib.asynccontextmanager
async def lifespan(_app):
    middleware.Drain.listen()
    tracking.start()
    log.info("started")
    yield
    log.info("stopping: the last runs go to MLflow")
    await tracking.close()
    await probes.close()
    await model.close()
    log.info("stopped")


routes = [
    Route("/auth/login", login, methods=["POST"]),
    Route("/auth/me", me),
    Route("/llm/generate", generate, methods=["POST"]),
    Route("/llm/models", models),
    Route("/v1/models", models),
    Route("/llm/cache/stats", cache_stats),
    Route("/llm/cache/clear", cache_clear, methods=["DELETE"]),
    Route("/health", health),
    Route("/health/detailed", detailed),
    Route("/metrics", metrics),
]
app = middleware.stack(
    Starlette(routes=routes, lifespan=lifespan, exception_handlers=middleware.HANDLERS), config
)
