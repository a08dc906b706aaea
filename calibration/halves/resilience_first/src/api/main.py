import asyncio
import hashlib
import hmac
import json
import logging
import time
from contextlib import asynccontextmanager
from dataclasses import asdict, fields
from typing import Any

from fastapi import Depends, FastAPI, Request
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import JSONResponse, PlainTextResponse
from starlette.exceptions import HTTPException

from api import config, failures, jsonlog, tokens
from api.edge import Edge
from api.failures import Failure
from api.gateway import PRICES, Gateway, Prompt
from api.readiness import Readiness
from api.resilience import CircuitBreaker
from api.traces import Traces

cfg = config.load()
jsonlog.setup()
log = logging.getLogger("api")

breaker = CircuitBreaker()
gateway = Gateway(cfg.litellm, breaker, cfg.deadline)
readiness = Readiness(cfg)
traces = Traces(cfg.mlflow)
remembered: dict[str, dict] = {}
counts = {"requests": 0, "answers": 0, "failures": 0, "hits": 0, "misses": 0}


@asynccontextmanager
async def lifespan(_app):
    log.info("ready in environment %s", cfg.environment)
    yield
    log.info("shutdown: closing upstream connections")
    for part in (traces, readiness, gateway):
        await part.close()


app = FastAPI(lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
app.add_middleware(
    CORSMiddleware, allow_origins=list(cfg.origins), allow_credentials=True,
    allow_methods=["GET", "POST", "DELETE"], allow_headers=["Authorization", "Content-Type"],
)
app.add_middleware(Edge, max_body=cfg.max_body)


@app.exception_handler(Failure)
async def on_failure(_request, failure):
    counts["failures"] += 1
    return failures.answer(failure)


@app.exception_handler(HTTPException)
async def on_http(_request, error):
    return failures.answer(Failure(error.status_code, "http", str(error.detail)))


def invalid(what: str) -> Failure:
    return Failure(422, "invalid", what)


async def json_object(request: Request) -> dict[str, Any]:
    try:
        content = json.loads(await request.body())
    except (ValueError, RecursionError):
        raise Failure(400, "no_json", "The body is not JSON.") from None
    if not isinstance(content, dict):
        raise invalid("The body is not an object.")
    return content


def text_of(content: dict[str, Any], name: str, *, required: bool = True) -> str | None:
    value = content.get(name)
    if value is None and not required:
        return None
    if not isinstance(value, str) or not value.strip():
        raise invalid(f"{name} has to be a text.")
    if not value.isprintable() and any(0xD800 <= ord(char) <= 0xDFFF for char in value):
        raise invalid(f"{name} has half characters in it.")
    return value


def number_of(content: dict[str, Any], name: str, kind: type, default, low, high):
    value = content.get(name)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, kind | int) or not low <= value <= high:
        raise invalid(f"{name} has to be between {low} and {high}.")
    return value


def prompt_from(content: dict[str, Any]) -> Prompt:
    unknown = set(content) - {one.name for one in fields(Prompt)}
    if unknown:
        raise invalid("There are unknown fields.")
    model = text_of(content, "model")
    if model not in PRICES:
        raise Failure(400, "no_such_model", "This model is not on offer.")
    return Prompt(
        model=model,
        prompt=text_of(content, "prompt"),
        system_prompt=text_of(content, "system_prompt", required=False),
        temperature=number_of(content, "temperature", float, 0.7, 0, 2),
        max_tokens=number_of(content, "max_tokens", int, 1000, 1, 100_000),
    )


def username(request: Request) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    try:
        if scheme.lower() == "bearer":
            return tokens.verify(token.strip(), cfg.jwt_key)
    except tokens.InvalidToken:
        pass
    raise Failure(401, "unauthenticated", "Please log in.")


@app.post("/auth/login")
async def login(request: Request):
    content = await json_object(request)
    user, password = text_of(content, "username"), text_of(content, "password")
    known = cfg.passwords.get(user, "")
    if not known or not hmac.compare_digest(known.encode(), password.encode()):
        raise Failure(401, "wrong_login", "Wrong username or password.")
    return {"access_token": tokens.issue(user, cfg.jwt_key), "token_type": "bearer"}


@app.get("/auth/me")
async def me(user: str = Depends(username)):
    return {"username": user}


@app.post("/llm/generate")
async def generate(request: Request, user: str = Depends(username)):
    prompt = prompt_from(await json_object(request))
    counts["requests"] += 1
    began = time.perf_counter()
    digest = hashlib.sha256(json.dumps(asdict(prompt)).encode()).hexdigest()
    if digest in remembered:
        counts["hits"] += 1
        answer = {**remembered[digest], "cached": True}
    else:
        counts["misses"] += 1
        completion = await unless_gone(request, gateway.complete(prompt))
        answer = {**completion.as_dict(), "cached": False}
        remembered[digest] = answer
        if len(remembered) > 1000:
            remembered.pop(next(iter(remembered)))
    counts["answers"] += 1
    traces.keep({**answer, "user": user, "prompt": prompt.prompt, "seconds": time.perf_counter() - began})
    return answer


async def unless_gone(request: Request, work):
    """Stop working for a caller who has hung up."""
    task = asyncio.ensure_future(work)
    try:
        while not (await asyncio.wait([task], timeout=0.25))[0]:
            if await request.is_disconnected():
                raise Failure(499, "client_gone", "The caller hung up.")
        return task.result()
    finally:
        if not task.done():
            task.cancel()


@app.get("/llm/models")
@app.get("/v1/models")
async def models():
    return {"object": "list", "data": [{"id": model, "object": "model"} for model in PRICES]}


@app.get("/llm/cache/stats")
async def cache_stats(_user: str = Depends(username)):
    return {"entries": len(remembered), "hits": counts["hits"], "misses": counts["misses"]}


@app.delete("/llm/cache/clear")
async def cache_clear(_user: str = Depends(username)):
    remembered.clear()
    return {"status": "cleared"}


@app.get("/health")
async def health():
    return {"status": "ok"}


@app.get("/health/detailed")
async def health_detailed():
    checks = await readiness.report()
    ok = all(check.healthy for check in checks.values())
    body = {"ok": ok, "dependencies": {name: asdict(check) for name, check in checks.items()}, "breaker": breaker.state}
    return JSONResponse(body, 200 if ok else 503)


@app.get("/metrics")
async def metrics():
    return PlainTextResponse("".join(f"llm_api_{name}_total {value}\n" for name, value in counts.items()))
