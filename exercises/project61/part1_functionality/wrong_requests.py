"""Requests that fail, each with the statuses that OpenAI's API has for it, or that a careful author may choose."""

import json
from dataclasses import dataclass
from typing import Any, Literal

from chaos.llm import RateLimited, Status, Step
from lab.prompts import prompt

CHAT, EMBEDDINGS = "ask", "embeddings"


@dataclass(frozen=True, slots=True)
class Wrong:
    """A request that fails. `path` is under /v1; `step` is what the model does, where the request is right."""

    statuses: frozenset[int]
    path: str
    method: str = "POST"
    body: bytes | None = None
    caller: Literal["usual", "nobody", "forger", "models_only"] = "usual"
    step: Step | None = None


def _json(**fields: Any) -> bytes:
    return json.dumps(fields).encode()


_MODEL = "groq-kimi-primary"
_INVALID = frozenset({400, 422})
_BACKEND = frozenset({500, 502, 503, 504})

WRONG: dict[str, Wrong] = {
    "a body that is no JSON": Wrong(_INVALID, "/chat/completions", body=b'{"model": '),
    "a body that is a list": Wrong(_INVALID, "/chat/completions", body=b"[]"),
    "no messages": Wrong(_INVALID, "/chat/completions", body=_json(model=_MODEL)),
    "messages that are a text": Wrong(
        _INVALID, "/chat/completions", body=_json(model=_MODEL, messages="Good morning.")
    ),
    "no input": Wrong(_INVALID, "/embeddings", body=_json(model=_MODEL)),
    "an unknown path": Wrong(frozenset({404}), "/completely/unknown", body=_json(model=_MODEL)),
    "a wrong method": Wrong(frozenset({404, 405}), "/embeddings", method="GET"),
    "an unknown API key to revoke": Wrong(
        frozenset({400, 404, 422}), "/api-keys/5f0b8a52-6c1e-4a51-9d3b-6f8a2c1d7e90", method="DELETE"
    ),
    "no token": Wrong(frozenset({401}), "/chat/completions", caller="nobody"),
    "a forged key": Wrong(frozenset({401}), "/chat/completions", caller="forger"),
    "no permission": Wrong(frozenset({403}), "/chat/completions", caller="models_only"),
    "an unknown model": Wrong(frozenset({400, 404}), "/chat/completions", step=Status(404)),
    "a refusal of the backend": Wrong(_INVALID, "/chat/completions", step=Status(400)),
    "a rate limit of the backend": Wrong(
        frozenset({429, 502, 503, 504}), "/chat/completions", step=RateLimited(1)
    ),
}
"""By what is wrong with them."""

FAILING = Wrong(_BACKEND, "/chat/completions", step=Status(500))
"""Asked last: a breaker may open with it."""


def right_body(key: str) -> bytes:
    """Return the body of a right request, for what is wrong elsewhere."""
    return _json(model=_MODEL, messages=[{"role": "user", "content": prompt(key)}])
