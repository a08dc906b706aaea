"""A thin proxy in front of a model: it works, and is ready for nothing."""

import os
from typing import Any

import httpx
from fastapi import FastAPI, Request

app = FastAPI(title="Inference API")
backend = httpx.AsyncClient(base_url=os.environ["LITELLM_URL"], timeout=600)


@app.get("/health")
async def health() -> dict[str, str]:
    return {"status": "alive"}


@app.post("/v1/chat/completions")
async def chat(request: Request) -> Any:
    answer = await backend.post("/v1/chat/completions", json=await request.json())
    return answer.json()
