from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from src.api import chat, health
from src.api.middleware import Edge
from src.config.settings import settings
from src.services.providers import UpstreamError

app = FastAPI(title=settings.APP_NAME)
app.include_router(chat.router)
app.include_router(health.router)
app.add_middleware(Edge)


@app.exception_handler(UpstreamError)
async def upstream_error(request: Request, e: UpstreamError) -> JSONResponse:
    return JSONResponse({"detail": e.reason}, e.status)


@app.exception_handler(RequestValidationError)
async def validation_error(request: Request, e: RequestValidationError) -> JSONResponse:
    detail = [{"loc": err["loc"], "msg": err["msg"]} for err in e.errors()]
    return JSONResponse({"detail": detail}, 422)
