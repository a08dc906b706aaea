"""The axes of part 1: which parameters, in which kind of answer, which failures, how a stream breaks, who leaves."""

from asyncio import Event
from collections.abc import Callable
from typing import Any

from chaos.llm import ErrorInStream, Held, StalledStream, Step
from exercises.project61.part1_functionality.parameters import PARAMETERS
from exercises.project61.part1_functionality.wrong_requests import WRONG
from lab.axes import Axes, Axis

CONVERSATION = "messages of every role"
ANSWERS = Axis("kinds of answers", {"whole": False, "streamed": True})
SENT = Axis("kinds of parameters", {**PARAMETERS, CONVERSATION: {}})
ONE, THREE, FLOATS, BASE64, FEWER = "one text", "three texts", "floats", "base64", "fewer dimensions"
INPUTS = Axis("kinds of inputs", {ONE: 1, THREE: 3, FLOATS: 2, BASE64: 2, FEWER: 2})
"""With how many texts each has."""
INPUT_OPTIONS: dict[str, dict[str, Any]] = {
    FLOATS: {"encoding_format": "float"},
    BASE64: {"encoding_format": "base64"},
    FEWER: {"dimensions": 96},
}
ASKED_FOR_USAGE = Axis("kinds of requests", {"usage": True, "no usage": False})
FAILURES = Axis("kinds of failures", WRONG)
SILENCE = "silence"
BREAKS: Axis[Callable[[], Step]] = Axis(
    "kinds of breaks",
    {"an error event": ErrorInStream, "a cut": lambda: Held(_set(), broken=True), SILENCE: StalledStream},
)

AXES: Axes = {
    "chat_streams": (ASKED_FOR_USAGE,),
    "embeddings_answer": (INPUTS,),
    "parameters_are_passed_on": (SENT, ANSWERS),
    "streamed_usage_is_counted": (ASKED_FOR_USAGE,),
    "errors_are_openais": (FAILURES,),
    "leaving_ends_the_call": (ANSWERS,),
    "broken_streams_are_told": (BREAKS,),
}


def _set() -> Event:
    event = Event()
    event.set()
    return event
