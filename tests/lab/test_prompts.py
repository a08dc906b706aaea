from chaos.keys import Keys, answer_code, find_key
from lab.prompts import long_answer, long_prompt, prompt


def test_a_prompt_holds_its_key_and_differs_from_others_in_words_too() -> None:
    keys = Keys(1, "test")
    prompts = {key: prompt(key) for key in (next(keys) for _ in range(50))}

    assert all(find_key(text) == key for key, text in prompts.items())
    assert len({text.replace(key, "") for key, text in prompts.items()}) > 40


def test_the_same_key_asks_the_same() -> None:
    assert prompt("ref-1") == prompt("ref-1")


def test_the_beginning_of_a_long_prompt_or_answer_does_not_tell_whose_it_is() -> None:
    keys = Keys(1, "test")
    for key in (next(keys) for _ in range(50)):
        for text, nonce in ((long_prompt(key), key), (long_answer(key), answer_code(key))):
            assert nonce in text
            assert nonce not in text[:150]
            assert len(text) < 250
