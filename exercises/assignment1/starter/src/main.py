"""The application: `uvicorn src.main:app`.

Read the settings here, so that a wrong one stops the start, and add what belongs to every request: ids, error bodies,
the limit on the size of bodies.
"""

from fastapi import FastAPI

from src.api import chat, health

app = FastAPI(title="LLM service")
app.include_router(chat.router)
app.include_router(health.router)
