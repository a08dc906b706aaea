from enum import Enum
from typing import List, Optional

from pydantic import BaseModel, Field, field_validator


class Role(str, Enum):
    system = "system"
    user = "user"
    assistant = "assistant"


class ChatMessage(BaseModel):
    role: Role
    content: str = Field(..., min_length=1, max_length=32000)


class ChatCompletionRequest(BaseModel):
    messages: List[ChatMessage] = Field(..., min_length=1, max_length=100)
    model: Optional[str] = None
    temperature: Optional[float] = Field(0.7, ge=0.0, le=2.0)
    max_tokens: Optional[int] = Field(None, ge=1, le=4096)

    @field_validator("messages")
    def first_message(cls, v):
        if v[0].role == Role.assistant:
            raise ValueError("Conversation must start with a system or user message")
        return v
