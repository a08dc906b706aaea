"""The contract of a submission, as EXAM.md tells it to students: its environment and its endpoints."""

import json
import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chaos.history import Upstream

MODELS = ("groq-kimi-primary", "gpt-4o-secondary", "gemini-third", "openrouter-fallback")
HOST = "127.0.0.1"

_SUBJECTS = (
    "alpine lichen", "bridge bearings", "coastal fog", "desert wells", "early sundials", "felt making",
    "glass harps", "harbour cranes", "ice roads", "jute sails", "kiln bricks", "lunar tides",
    "moss gardens", "night trains", "olive presses", "peat bogs", "quarry tools", "river locks",
    "salt mines", "tram signals", "umbrella frames", "violin varnish", "water clocks", "yew bows",
)  # fmt: skip
_QUESTIONS = (
    "Which shelf mark belongs to the entry {key} on {one} and {two}?",
    "Please look up what we hold on {one}, filed with {two} as {key}, and give its number.",
    "A reader asks about {two} and {one}; the slip says {key}. One sentence is enough.",
    "Summarise the note {key} in one sentence. It compares {one} with {two}.",
)


@dataclass(frozen=True, slots=True)
class Secrets:
    """The secrets given to one service instance."""

    jwt_key: str
    admin_password: str
    user_password: str

    @classmethod
    def generate(cls, source: random.Random) -> "Secrets":
        return cls(*(f"{source.getrandbits(192):048x}" for _ in range(3)))

    def variables(self) -> dict[str, str]:
        """Return the secrets by the variables of the contract that carry them."""
        return {
            "JWT_SECRET_KEY": self.jwt_key,
            "AUTH_ADMIN_PASSWORD": self.admin_password,
            "AUTH_USER_PASSWORD": self.user_password,
        }


def origin(key: str) -> str:
    """Return an origin of a browser application that no service has in its code."""
    return f"https://chat-{key}.example.org"


def environment(
    secrets: Secrets, urls: Mapping[Upstream, str], *, allowed_origin: str = "http://localhost:3000"
) -> dict[str, str]:
    """Return the variables of the contract; `urls` has those of `litellm`, `qdrant` and `mlflow`."""
    return {
        **secrets.variables(),
        "CORS_ORIGINS": json.dumps([allowed_origin]),
        "ENVIRONMENT": "production",
        "LITELLM_URL": urls["litellm"],
        "QDRANT_URL": urls["qdrant"],
        "MLFLOW_TRACKING_URI": urls["mlflow"],
    }


def prompt(key: str) -> str:
    """Return a prompt that holds `key`; its words differ too, so that a cache by meaning takes no two for one."""
    source = random.Random(key)  # noqa: S311 - must be replayable, need not be secret
    one, two = source.sample(_SUBJECTS, 2)
    return source.choice(_QUESTIONS).format(key=key, one=one, two=two)


def generate_body(key: str, *, model: str = MODELS[0]) -> dict[str, Any]:
    """Return the body of `POST /llm/generate` for the prompt that holds `key`."""
    return {"model": model, "prompt": prompt(key), "temperature": 0.2, "max_tokens": 128}
