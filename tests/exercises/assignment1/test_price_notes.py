import time

import pytest

from exercises.assignment1.part4_llm_service.price_notes import is_noted

USUAL = (
    "latency_ms 20.1",
    "cost_usd 0.0148",
    "price_known True",
    "usage {'input_tokens': 3, 'cost_estimated': True}",
    '{"level": "info", "message": "completion", "model": "gpt-4o", "cost_usd": 0.0148, "request_id": "a0-ff"}',
    "INFO price looked up for gpt-4o: cost 0.0148 USD",
)


@pytest.mark.parametrize(
    "text",
    [
        "cost_usd 0.0",
        "latency_ms 19.8",
        "usage {'input_tokens': 5, 'cost_estimated': True}",
        '{"level": "info", "message": "completion", "model": "lab-model-0f", "cost_usd": 0.0, "request_id": "b1-fe"}',
        "INFO price looked up for lab-model-0f: cost 0.0 USD",
        "WARNING the event loop is slow",
    ],
)
def test_the_cost_of_every_answer_is_no_note(text: str) -> None:
    assert not is_noted([text], USUAL)


@pytest.mark.parametrize(
    "text",
    [
        "price_known False",
        "cost_note unknown model",
        "pricing unavailable",
        "usage {'input_tokens': 5, 'cost_estimated': False}",
        "WARNING no price for lab-model-0f",
        "INFO price looked up for lab-model-0f: not found, cost 0.0 USD",
        '{"level": "warning", "message": "completion", "model": "lab-model-0f", "cost_usd": 0.0}',
        '{"level": "info", "message": "completion", "cost_usd": 0.0, "price_known": false}',
        "Unknown model lab-model-0f",
    ],
)
def test_a_note_says_what_is_not_said_of_others(text: str) -> None:
    assert is_noted(["cost_usd 0.0", text], USUAL)


def test_a_note_may_repeat_words_that_others_have() -> None:
    assert is_noted(["price_known=false"], ["price_known=true", "stream=false"])
    assert is_noted(['{"known_price": null}'], ['{"known_price": 2.5, "user": null}'])


@pytest.mark.parametrize("part", ["cost", "_", "a ", "known="])
def test_a_long_line_is_read_soon(part: str) -> None:
    line = part * (100_000 // len(part))
    begun = time.process_time()

    is_noted([line] * 10, [line] * 10)

    assert time.process_time() - begun < 2
