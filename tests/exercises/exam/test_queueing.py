import pytest

from chaos.history import History
from exercises.exam.queueing import EXPLANATION, explain_queue
from tests.lab.story import Story


def _in_line(*, prompts: int = 3, lasting: float = 5.0) -> History:
    """Prompts are asked at once, and each meets the model when the one before has left it."""
    story = Story()
    asked = [story.ask("prompt") for _ in range(prompts)]
    for request in asked:
        story.call(request, lasting=lasting)
        story.answer(request)
    return story.end()


def test_prompts_that_wait_for_each_other_are_explained() -> None:
    assert EXPLANATION in explain_queue(_in_line())


def test_prompts_that_are_never_called_for_count_as_waiting() -> None:
    story = Story()
    first, *others = [story.ask("prompt") for _ in range(3)]
    story.call(first, lasting=25.0)
    story.answer(first, 504)
    for request in others:
        story.fail(request, after=0)

    assert explain_queue(story.end())


@pytest.mark.parametrize(("prompts", "lasting"), [(2, 5.0), (3, 0.5)])
def test_one_that_waits_or_a_short_wait_says_nothing(prompts: int, lasting: float) -> None:
    assert explain_queue(_in_line(prompts=prompts, lasting=lasting)) == ""


def test_calls_at_once_are_no_queue() -> None:
    story = Story()
    asked = [story.ask("prompt") for _ in range(4)]
    for request in asked[:2]:
        story.call(request, status=None)
    story.now += 10
    for request in asked:
        story.fail(request, after=0)

    assert explain_queue(story.end()) == ""


def test_prompts_that_no_call_keeps_from_the_model_are_no_queue() -> None:
    story = Story()
    asked = [story.ask("unreachable") for _ in range(3)]
    story.now += 30
    for request in asked:
        story.answer(request, 504)

    assert explain_queue(story.end()) == ""
