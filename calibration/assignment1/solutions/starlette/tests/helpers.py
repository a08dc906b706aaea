import json

import httpx2

from src.services.llm import OpenAIProvider

SOON = {"retry-after": "0.01"}  # so that tests do not wait
EVENT_STREAM = {"content-type": "text/event-stream"}


def answer(request_body, content="Good morning!", tokens=(100, 200)):
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": request_body["model"],
        "choices": [
            {
                "index": 0,
                "finish_reason": "stop",
                "message": {"role": "assistant", "content": content},
            }
        ],
        "usage": {
            "prompt_tokens": tokens[0],
            "completion_tokens": tokens[1],
            "total_tokens": sum(tokens),
        },
    }


def chunk(content, finish_reason=None):
    choice = {"index": 0, "delta": {"content": content}, "finish_reason": finish_reason}
    data = {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "gpt-4o-mini",
        "choices": [choice],
    }
    return f"data: {json.dumps(data)}\n\n"


class Upstream:
    """Plays OpenAI. `failures` come first; `limited` are models with a rate limit."""

    def __init__(self, *failures, limited=(), models=200):
        self.failures = list(failures)
        self.limited = limited
        self.models = models
        self.bodies = []
        self.events = chunk("Good ") + chunk("morning!", "stop") + "data: [DONE]\n\n"

    def __call__(self, request):
        if request.url.path == "/v1/models":
            return httpx2.Response(self.models, json={"object": "list", "data": []})
        body = json.loads(request.content)
        self.bodies.append(body)
        if self.failures:
            failure = self.failures.pop(0)
            if isinstance(failure, Exception):
                raise failure
            error = {"error": {"message": "wrong key sk-for-tests"}}
            return httpx2.Response(failure, json=error, headers=SOON)
        if body["model"] in self.limited:
            return httpx2.Response(429, json={}, headers=SOON)
        if body.get("stream"):
            return httpx2.Response(200, text=self.events, headers=EVENT_STREAM)
        return httpx2.Response(200, json=answer(body))

    def provider(self, **options):
        return OpenAIProvider("sk-for-tests", httpx2.MockTransport(self), **options)
