"""A prompt by itself, as `POST /llm/generate` has it, and the text that answers it."""

from enum import StrEnum
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field


class Model(StrEnum):
    """The models that a prompt may be for."""

    PRIMARY = "groq-kimi-primary"
    SECONDARY = "gpt-4o-secondary"
    THIRD = "gemini-third"
    FALLBACK = "openrouter-fallback"


def _encodable(text: str) -> str:
    """JSON can escape halves of surrogate pairs, which no text on the wire can hold."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("must be text that UTF-8 can encode") from None
    return text


Text = Annotated[str, AfterValidator(_encodable)]


class Prompt(BaseModel):
    """What the model is asked."""

    model_config = ConfigDict(frozen=True)

    model: Model
    prompt: Annotated[Text, Field(min_length=1)]
    system_prompt: Text | None = None
    temperature: Annotated[float, Field(ge=0, le=2, allow_inf_nan=False)] | None = None
    max_tokens: Annotated[int, Field(ge=1, le=128_000)] | None = None

    @property
    def fields(self) -> dict[str, Any]:
        """The same as a chat request."""
        messages = [{"role": "user", "content": self.prompt}]
        if self.system_prompt:
            messages.insert(0, {"role": "system", "content": self.system_prompt})
        options = self.model_dump(include={"temperature", "max_tokens"}, exclude_none=True)
        return {"model": self.model.value, "messages": messages, **options}


class Answer(BaseModel):
    """What the model said; `cost` is in US dollars."""

    response: str
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    cost: float
