"""The application: `uvicorn src.main:app`. Add the middleware for request ids and the configuration of the logs here."""

from fastapi import FastAPI

from src.api import chat, health, selection

app = FastAPI(title="Week 1")
app.include_router(chat.router)
app.include_router(health.router)
app.include_router(selection.router)
