from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

Content = Annotated[str, Field(min_length=1, max_length=32_000)]


class Message(BaseModel):
    model_config = ConfigDict(strict=True)

    role: Literal["system", "user", "assistant"]
    content: Content


def conversation(messages: list[Message]) -> list[Message]:
    roles = [m.role for m in messages]
    if roles[0] == "assistant":
        raise ValueError("cannot begin with an assistant message")
    if roles.count("system") > 1:
        raise ValueError("only one system message is allowed")
    return messages


class ChatRequest(BaseModel):
    model_config = ConfigDict(strict=True)

    messages: Annotated[
        list[Message], Field(min_length=1, max_length=100), AfterValidator(conversation)
    ]
    model: str | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.7
    max_tokens: Annotated[int, Field(ge=1, le=4096)] | None = None
