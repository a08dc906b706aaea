"""Django views."""

import json
import logging
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from functools import cache, wraps
from typing import Any

from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_GET, require_POST

from src.config.settings import get_settings
from src.models.chat import ChatRequest, Invalid
from src.models.selection import MODELS, RULES, SelectionRequest
from src.services.limits import RequestLimit, TooMany
from src.services.llm import Failure, LLMService

log = logging.getLogger("api")


@cache
def limit() -> RequestLimit:
    return RequestLimit(get_settings().requests, get_settings().window)


@cache
def service() -> LLMService:
    return LLMService(get_settings())


def error(status: int, message: str, **headers: str) -> JsonResponse:
    return JsonResponse({"error": message}, status=status, headers=headers)


def answers_json(view: Callable[[HttpRequest], Awaitable[Any]]):
    @wraps(view)
    async def wrapper(request: HttpRequest) -> JsonResponse:
        try:
            return JsonResponse(await view(request))
        except (Invalid, UnicodeDecodeError, json.JSONDecodeError) as refusal:
            return error(422, str(refusal) if isinstance(refusal, Invalid) else "the body is not JSON")
        except TooMany as many:
            return error(429, "too many requests", **{"Retry-After": str(many.wait)})
        except Failure as failure:
            log.warning("failed with %s", failure.status)
            return error(failure.status, str(failure))

    return wrapper


@require_POST
@answers_json
async def chat(request: HttpRequest) -> Any:
    await limit().check(request.META["REMOTE_ADDR"])
    return asdict(await service().complete(ChatRequest.load(json.loads(request.body))))


@require_POST
@answers_json
async def select(request: HttpRequest) -> Any:
    wanted = SelectionRequest.load(json.loads(request.body))
    rule = next(rule for rule in RULES if rule.holds(wanted))
    return {"model": MODELS[rule.profile], "profile": rule.profile, "reason": rule.reason}


@require_GET
async def health(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"status": "ok"})
