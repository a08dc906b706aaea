from fastapi import FastAPI

from src.api import chat, health
from src.config.settings import settings

app = FastAPI(title=settings.app_name)

app.include_router(chat.router)
app.include_router(health.router)
