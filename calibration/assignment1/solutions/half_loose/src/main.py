from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.responses import PlainTextResponse
from starlette.exceptions import HTTPException

from src.api import chat, health
from src.api.request_id import RequestId
from src.config.settings import settings
from src.services.llm import LLMError

app = FastAPI(title=settings.app_name)
app.include_router(chat.router)
app.include_router(health.router)
app.add_middleware(RequestId)


@app.exception_handler(LLMError)
async def llm_error(request, error: LLMError):
    return PlainTextResponse(error.text, error.status)


@app.exception_handler(RequestValidationError)
async def validation_error(request, error):
    return PlainTextResponse("Invalid request", 422)


@app.exception_handler(HTTPException)
async def http_error(request, error: HTTPException):
    return PlainTextResponse(error.detail, error.status_code)
