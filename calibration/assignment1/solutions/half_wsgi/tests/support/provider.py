"""A scripted OpenAI for respx."""

import httpx


def completion(content: str = "Hi there", model: str = "gpt-4o-mini", used: tuple[int, int] = (11, 7)) -> httpx.Response:
    return httpx.Response(
        200,
        json={
            "id": "x",
            "model": model,
            "choices": [{"index": 0, "message": {"role": "assistant", "content": content}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": used[0], "completion_tokens": used[1], "total_tokens": sum(used)},
        },
    )
