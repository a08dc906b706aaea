"""A thin proxy in front of a model: it works, and is ready for nothing."""

import os

import httpx
from fastapi import FastAPI, Request

app = FastAPI(title="Inference API")
backend = httpx.AsyncClient(base_url=os.environ["LITELLM_URL"], timeout=None)


@app.get("/health")
async def health():
    return {"status": "alive"}


@app.post("/v1/chat/completions")
async def chat(request: Request):
    answer = await backend.post("/v1/chat/completions", json=await request.json())
    return answer.json()
