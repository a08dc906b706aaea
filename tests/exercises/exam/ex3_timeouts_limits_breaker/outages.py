"""Outages as an experiment records them, for the tests of what a circuit breaker does."""

from chaos.history import Tried
from exercises.exam.ex3_timeouts_limits_breaker.circuit import labelled
from exercises.exam.ex3_timeouts_limits_breaker.outage import KINDS
from tests.lab.story import Story

USUAL = "status 503"


def fail(
    story: Story, kind: str = USUAL, *, calls_each: int = 1, status: int = 502, requests: int = 5
) -> None:
    """Have requests fail at the model; where no call reaches it, `calls_each` is 0."""
    story.add(Tried(axis=KINDS, value=kind))
    for _ in range(requests):
        request = story.ask(labelled("failing", kind))
        for _ in range(calls_each):
            story.call(request, status=503)
        story.answer(request, status)


def reject(story: Story, kind: str = USUAL, *, count: int = 5, retry_after: str | None = "10") -> None:
    """Have an open breaker turn requests away."""
    for _ in range(count):
        story.reject(labelled("rejected", kind), retry_after=retry_after)


def call_on(story: Story, kind: str = USUAL, *, status: int = 502) -> None:
    """Have the model called where a breaker should be open."""
    request = story.ask(labelled("rejected", kind))
    story.call(request, status=503)
    story.answer(request, status)
