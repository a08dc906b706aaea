"""A prompt by itself, as `POST /llm/generate` has it, and the text that answers it."""

from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from api.services.models import Model


@dataclass(frozen=True, slots=True)
class Prompt:
    """What the model is asked."""

    model: Model
    prompt: str
    system_prompt: str | None = None
    temperature: float | None = None
    max_tokens: int | None = None

    @property
    def fields(self) -> dict[str, Any]:
        """The same as a chat request."""
        messages = [{"role": "user", "content": self.prompt}]
        if self.system_prompt:
            messages.insert(0, {"role": "system", "content": self.system_prompt})
        options = {"temperature": self.temperature, "max_tokens": self.max_tokens}
        given = {name: value for name, value in options.items() if value is not None}
        return {"model": self.model.value, "messages": messages, **given}


class Answer(BaseModel):
    """What the model said; `cost` is in US dollars."""

    response: str
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    cost: float
