"""What is known of a request to the model once it has its answer, for whoever counts: usage, limits, metrics."""

from collections.abc import Callable
from dataclasses import dataclass

from api.services.callers import Caller


@dataclass(frozen=True, slots=True)
class Answered:
    """`cost` is in US dollars, `seconds` the time that the answer took; `status` is "ok" or the slug of the failure."""

    request_id: str
    caller: Caller
    model: str
    prompt_tokens: int
    completion_tokens: int
    cost: float
    seconds: float
    status: str


Observer = Callable[[Answered], None]
"""Is called before the answer leaves, so it neither blocks nor raises."""
