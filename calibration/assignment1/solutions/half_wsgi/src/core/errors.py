"""Errors that end in an answer of their own."""

from dataclasses import dataclass, field


@dataclass
class ApiError(Exception):
    status: int
    code: str
    message: str
    where: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
