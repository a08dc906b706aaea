"""A scripted stand-in for the LiteLLM proxy: answers, and fails in every way that a model does."""

from chaos.llm.by_model import ByModel
from chaos.llm.server import ScriptedLLM
from chaos.llm.steps import (
    Answer,
    BrokenStream,
    Drip,
    EmptyObject,
    Hang,
    MalformedJson,
    NoChoices,
    RateLimited,
    Reset,
    StalledStream,
    Status,
    Step,
    Truncated,
    WrongContentType,
)

__all__ = [
    "Answer",
    "BrokenStream",
    "ByModel",
    "Drip",
    "EmptyObject",
    "Hang",
    "MalformedJson",
    "NoChoices",
    "RateLimited",
    "Reset",
    "ScriptedLLM",
    "StalledStream",
    "Status",
    "Step",
    "Truncated",
    "WrongContentType",
]
