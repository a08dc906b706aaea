import logging
import re
import uuid

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from src.api.chat import router as chat_router
from src.api.health import router as health_router
from src.config.settings import get_app_name, is_debug

logging.basicConfig(level=logging.INFO)
logger = logging.getLogger(__name__)

app = FastAPI(title=get_app_name(), debug=is_debug())


@app.middleware("http")
async def add_request_id(request: Request, call_next):
    request_id = request.headers.get("X-Request-ID", "")
    if not re.fullmatch(r"[A-Za-z0-9\-_.]{1,128}", request_id):
        request_id = str(uuid.uuid4())
    try:
        response = await call_next(request)
    except Exception as e:
        logger.exception(e)
        response = JSONResponse(status_code=500, content={"detail": "Internal server error"})
    response.headers["X-Request-ID"] = request_id
    return response


app.include_router(chat_router)
app.include_router(health_router)
