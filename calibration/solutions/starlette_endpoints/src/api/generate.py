import asyncio
from typing import Literal

from loguru import logger
from pydantic import BaseModel, Field
from starlette.endpoints import HTTPEndpoint
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from api.auth import protected
from api.model import PRICES, cost
from api.problems import Problem


class Question(BaseModel):
    model: Literal["groq-kimi-primary", "gpt-4o-secondary", "gemini-third", "openrouter-fallback"]
    prompt: str = Field(min_length=1)
    system_prompt: str | None = None
    temperature: float = Field(default=0.7, ge=0, le=2)
    max_tokens: int = Field(default=1024, ge=1)

    def messages(self) -> list[dict]:
        system = [{"role": "system", "content": self.system_prompt}] if self.system_prompt else []
        return [*system, {"role": "user", "content": self.prompt}]


class Generate(HTTPEndpoint):
    @protected
    async def post(self, request: Request) -> Response:
        question = Question.model_validate_json(await request.body())
        work = asyncio.ensure_future(self._answer(request, question))
        gone = asyncio.ensure_future(_hang_up(request))
        try:
            await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                return JSONResponse(work.result())
            logger.info("POST /llm/generate: the caller hung up")
            return Response(status_code=499)
        finally:
            gone.cancel()
            work.cancel()
            await asyncio.gather(work, gone, return_exceptions=True)

    async def _answer(self, request: Request, question: Question) -> dict:
        state = request.app.state
        parameters = question.model_dump(exclude={"prompt"})
        known, vector = await state.cache.find(question.prompt, parameters)
        if known:
            return {**known, "cached": True}
        answer = await state.model.ask(
            question.model, question.messages(), question.temperature, question.max_tokens
        )
        result = {
            "response": answer.text,
            "model": question.model,
            "prompt_tokens": answer.prompt_tokens,
            "completion_tokens": answer.completion_tokens,
            "total_tokens": answer.total_tokens,
            "cost": cost(question.model, answer),
            "cached": False,
        }
        state.tracing.record(request.user.display_name, question.prompt, result)
        if vector:
            await state.cache.keep(question.prompt, parameters, vector, result)
        logger.info("{} answered with {} tokens", question.model, answer.total_tokens)
        return result


async def _hang_up(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


class Models(HTTPEndpoint):
    async def get(self, request: Request) -> Response:
        return JSONResponse({"object": "list", "data": [{"id": name, "object": "model"} for name in PRICES]})


class CacheStats(HTTPEndpoint):
    @protected
    async def get(self, request: Request) -> Response:
        cache = request.app.state.cache
        try:
            return JSONResponse({"entries": await cache.count(), "hits": cache.hits, "misses": cache.misses})
        except Exception as e:
            raise Problem(503, "The cache is down", cause=e) from None


class CacheClear(HTTPEndpoint):
    @protected
    async def delete(self, request: Request) -> Response:
        try:
            await request.app.state.cache.clear()
        except Exception as e:
            raise Problem(503, "The cache is down", cause=e) from None
        return JSONResponse({"cleared": True})
