"""The checks of part 1. Each judges recorded histories alone; its parameters name the experiments."""

from exercises.project61.part1_functionality.broken_streams import broken_streams_are_told
from exercises.project61.part1_functionality.errors import errors_are_openais
from exercises.project61.part1_functionality.leaving import leaving_ends_the_call
from exercises.project61.part1_functionality.official import (
    chat_answers,
    embeddings_answer,
    models_are_listed,
)
from exercises.project61.part1_functionality.passed_on import parameters_are_passed_on
from exercises.project61.part1_functionality.streamed import chat_streams, streamed_usage_is_counted

__all__ = [
    "broken_streams_are_told",
    "chat_answers",
    "chat_streams",
    "embeddings_answer",
    "errors_are_openais",
    "leaving_ends_the_call",
    "models_are_listed",
    "parameters_are_passed_on",
    "streamed_usage_is_counted",
]
