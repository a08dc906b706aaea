"""A scripted stand-in for the LiteLLM proxy: answers, and fails in every way that a model does."""

from chaos.llm.by_model import ByModel
from chaos.llm.partial import BrokenStream, ErrorInStream, Held, StalledStream, Truncated
from chaos.llm.raw import Closed, Raw
from chaos.llm.server import ScriptedLLM
from chaos.llm.steps import (
    After,
    Answer,
    Drip,
    EmptyObject,
    Hang,
    MalformedJson,
    NoChoices,
    RateLimited,
    Reset,
    Status,
    Step,
    WrongContentType,
)

__all__ = [
    "After",
    "Answer",
    "BrokenStream",
    "ByModel",
    "Closed",
    "Drip",
    "EmptyObject",
    "ErrorInStream",
    "Hang",
    "Held",
    "MalformedJson",
    "NoChoices",
    "RateLimited",
    "Raw",
    "Reset",
    "ScriptedLLM",
    "StalledStream",
    "Status",
    "Step",
    "Truncated",
    "WrongContentType",
]
