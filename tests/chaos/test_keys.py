import itertools
import json
import re

import pytest

from chaos.keys import KEY_PATTERN, Keys, answer_code, expected_answer, find_answer_codes, find_key, find_keys


def test_the_seed_and_the_scope_decide_the_keys() -> None:
    first = list(itertools.islice(Keys(7, "ex3"), 50))
    assert first == list(itertools.islice(Keys(7, "ex3"), 50))
    assert not set(first) & set(itertools.islice(Keys(8, "ex3"), 50))
    assert not set(first) & set(itertools.islice(Keys(7, "ex4"), 50))


def test_keys_are_distinct_and_of_one_format() -> None:
    keys = list(itertools.islice(Keys(1, "x"), 2000))
    assert len(set(keys)) == len(keys)
    assert all(re.fullmatch(KEY_PATTERN, key) for key in keys)


def test_a_known_key_stays_what_it_is() -> None:
    assert next(Keys(0, "demo")) == "ref-2c7d2d8a9a3e"


@pytest.mark.parametrize(
    "wrap",
    [
        lambda key: f"What is {key}?",
        lambda key: json.dumps({"messages": [{"role": "user", "content": f"line\n{key}\nline"}]}),
        lambda key: f"x{key}0a".encode(),
        lambda key: b"\x00\xff\x12" + key.encode() + b"\xfe",
    ],
)
def test_a_key_is_found_in_text_json_and_bytes(wrap: object) -> None:
    key = next(Keys(2, "x"))
    assert callable(wrap)
    assert find_key(wrap(key)) == key


@pytest.mark.parametrize(
    "text", ["", "ref-", "ref-1a2b3c4d5e", "REF-1a2b3c4d5e6f", "ref-123456789012", b"\xff"]
)
def test_what_is_no_key_is_not_found(text: str | bytes) -> None:
    assert find_key(text) is None
    assert find_keys(text) == []


def test_of_several_keys_the_last_is_what_a_text_is_about() -> None:
    one, two = itertools.islice(Keys(3, "x"), 2)
    assert find_key(f"{one} {two}") == two
    assert find_keys(f"{one} {two} {one}") == [one, two]


def test_an_answer_holds_a_nonce_of_its_own() -> None:
    keys = list(itertools.islice(Keys(4, "x"), 500))
    assert len({answer_code(key) for key in keys}) == len(keys)
    for key in keys:
        answer = expected_answer(key)
        assert answer == expected_answer(key)
        assert find_answer_codes(answer) == [answer_code(key)]
        assert find_answer_codes(answer.encode()) == [answer_code(key)]
        assert key not in answer
        assert find_key(answer) is None
        # Half of an answer must not pass for the whole.
        assert answer_code(key) not in answer[: len(answer) // 2]
