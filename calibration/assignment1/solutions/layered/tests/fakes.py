"""OpenAI's side of the wire."""

import json
from typing import Any

import httpx


class FakeOpenAI:
    """Answers with what is in `script`, then with `answer`. Records what it is asked."""

    def __init__(self) -> None:
        self.script: list[httpx.Response | Exception] = []
        self.limited_models: set[str] = set()
        self.asked: list[dict[str, Any]] = []
        self.models_status = 200

    def handle(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/models"):
            return httpx.Response(self.models_status, json={"data": []})
        body = json.loads(request.content)
        self.asked.append(body)
        if self.script:
            step = self.script.pop(0)
            if isinstance(step, Exception):
                raise step
            return step
        if body["model"] in self.limited_models:
            return httpx.Response(429, json={"error": {"message": "slow down"}})
        if body.get("stream"):
            return httpx.Response(200, text=STREAM)
        return httpx.Response(200, json=completion(body["model"]))


def completion(model: str, content: str = "Hi there.", **usage: int) -> dict[str, Any]:
    return {
        "model": model,
        "choices": [{"message": {"role": "assistant", "content": content}}],
        "usage": usage or {"prompt_tokens": 12, "completion_tokens": 30, "total_tokens": 42},
    }


STREAM = """\
data: {"model": "gpt-4o-mini", "choices": [{"delta": {"content": "Hi "}, "finish_reason": null}]}

data: {"model": "gpt-4o-mini", "choices": [{"delta": {"content": "there."}, "finish_reason": "stop"}]}

data: {"model": "gpt-4o-mini", "choices": [], "usage": {"prompt_tokens": 12, "completion_tokens": 2}}

data: [DONE]

"""
