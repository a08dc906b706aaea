import hashlib
import hmac
import logging
import threading
import time
from contextlib import asynccontextmanager
from typing import Annotated, Literal

import anyio.to_thread
import jwt
from fastapi import Depends, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, Counter, generate_latest
from pydantic import BaseModel, Field, field_validator
from starlette.exceptions import HTTPException

from api import model, readiness
from api.background import deliverer
from api.edge import Edge
from api.errors import ApiError, to_response
from api.settings import JWT_KEY, settings

log = logging.getLogger("api")
ANSWERS = Counter("answers", "Answers by model", ["model"])
USERS = {"admin": settings.auth_admin_password, "user": settings.auth_user_password}
answers, answers_lock = {}, threading.Lock()
hits = misses = 0


@asynccontextmanager
async def lifespan(app):
    anyio.to_thread.current_default_thread_limiter().total_tokens = 120
    deliverer.start()
    yield
    log.info("shutdown: waiting for the deliverer")
    await anyio.to_thread.run_sync(deliverer.stop)
    readiness.pool.shutdown(wait=False)
    model.client.close()
    log.info("shutdown: done")


app = FastAPI(lifespan=lifespan)
app.add_middleware(CORSMiddleware, allow_origins=settings.cors_origins, allow_methods=["*"], allow_headers=["*"])
app.add_middleware(Edge)


@app.exception_handler(ApiError)
def api_error(request: Request, error: ApiError):
    return to_response(error)


@app.exception_handler(HTTPException)
def http_error(request: Request, error: HTTPException):
    return to_response(ApiError(error.status_code, "http_error", str(error.detail)))


@app.exception_handler(RequestValidationError)
def validation_error(request: Request, error: RequestValidationError):
    fields = ", ".join(sorted({str(one["loc"][-1]) for one in error.errors()}))
    return to_response(ApiError(422, "validation_error", f"Please check: {fields}"))


@app.exception_handler(Exception)
def crash(request: Request, error: Exception):
    return to_response(ApiError(500, "internal_error", "An unexpected error."))


class Login(BaseModel):
    username: str
    password: str


class Generate(BaseModel):
    model: Literal["groq-kimi-primary", "gpt-4o-secondary", "gemini-third", "openrouter-fallback"]
    prompt: str = Field(min_length=1)
    system_prompt: str | None = None
    temperature: float | None = Field(None, ge=0, le=2)
    max_tokens: int | None = Field(None, ge=1)

    @field_validator("prompt", "system_prompt")
    @classmethod
    def utf8(cls, value):
        try:
            value is None or value.encode()
        except UnicodeEncodeError:
            raise ValueError("is not text") from None
        return value

    def messages(self):
        roles = (("system", self.system_prompt), ("user", self.prompt))
        return [{"role": role, "content": text} for role, text in roles if text]


def user_of(request: Request) -> str:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme != "Bearer":
        raise ApiError(401, "no_token", "Please log in.")
    try:
        return jwt.decode(token, JWT_KEY, ["HS256"], options={"require": ["exp"]})["sub"]
    except (jwt.PyJWTError, KeyError):
        raise ApiError(401, "bad_token", "Please log in again.") from None


User = Annotated[str, Depends(user_of)]


@app.post("/auth/login")
def login(body: Login):
    secret = USERS[body.username].get_secret_value() if body.username in USERS else ""
    given = body.password.encode(errors="surrogatepass")
    if not secret or not hmac.compare_digest(secret.encode(), given):
        raise ApiError(401, "bad_credentials", "Wrong username or password.")
    token = jwt.encode({"sub": body.username, "exp": time.time() + 3600}, JWT_KEY)
    return {"access_token": token, "token_type": "bearer"}


@app.get("/auth/me")
def me(user: User):
    return {"username": user}


@app.post("/llm/generate")
def generate(body: Generate, user: User):
    global hits, misses
    started = time.time()
    key = hashlib.sha1(body.model_dump_json().encode()).hexdigest()
    with answers_lock:
        answer = answers.get(key)
        hits, misses = hits + bool(answer), misses + (not answer)
    if answer is None:
        answer = model.complete(body)
        with answers_lock:
            answers[key] = answer
    ANSWERS.labels(body.model).inc()
    deliverer.queue.put({**answer, "prompt": body.prompt, "user": user, "at": int(started * 1000)})
    log.info("answer given", extra={"data": {"tokens": answer["total_tokens"], "seconds": round(time.time() - started, 3)}})
    return answer


@app.get("/llm/models")
@app.get("/v1/models")
def models():
    return {"object": "list", "data": [{"id": one, "object": "model"} for one in model.PRICES]}


@app.get("/llm/cache/stats")
def cache_stats(user: User):
    return {"entries": len(answers), "hits": hits, "misses": misses}


@app.delete("/llm/cache/clear")
def cache_clear(user: User):
    with answers_lock:
        answers.clear()
    return {"cleared": True}


@app.get("/health")
async def health():
    return {"status": "ok"}


@app.get("/health/detailed")
def health_detailed():
    checks = readiness.checks()
    ok = all(check["status"] == "ok" for check in checks.values())
    body = {"status": "ok" if ok else "error", "breaker_closed": model.breaker.is_closed()}
    body["services"] = [{"name": name, **check} for name, check in checks.items()]
    return JSONResponse(body, 200 if ok else 503)


@app.get("/metrics")
def metrics():
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
