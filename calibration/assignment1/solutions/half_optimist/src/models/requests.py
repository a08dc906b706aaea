from typing import Literal, Optional

from pydantic import BaseModel, Field, field_validator


class Message(BaseModel):
    role: Literal["system", "user", "assistant"]
    content: str = Field(..., min_length=1, max_length=32000)


class ChatRequest(BaseModel):
    messages: list[Message] = Field(..., min_length=1, max_length=100)
    model: Optional[str] = None
    temperature: float = Field(default=0.7, ge=0, le=2)
    max_tokens: int = Field(default=1024, ge=1, le=4096)

    @field_validator("messages")
    @classmethod
    def validate_messages(cls, v):
        if v[0].role == "assistant":
            raise ValueError("The first message must be from the system or the user")
        if v[-1].role != "user":
            raise ValueError("The last message must be from the user")
        return v
