"""What callers may send, with every bound of the contract."""

from pydantic import BaseModel


class Message(BaseModel):
    """One turn of a conversation: a role and its content."""


class ChatRequest(BaseModel):
    """A conversation, and how to complete it. The rules on conversations belong here too."""
