import time

import pytest

from lab import compose_file
from lab.compose_file import MAX_LENGTH, MAX_NODES, load

pytestmark = pytest.mark.medium


def test_plain_data() -> None:
    assert load("services: {api: {build: ., ports: ['80:80']}}") == {
        "services": {"api": {"build": ".", "ports": ["80:80"]}}
    }


def test_tags_are_dropped() -> None:
    text = "a: !reset [1]\nb: !override {c: 2}\nd: !x e\n"
    assert load(text) == {"a": [1], "b": {"c": 2}, "d": "e"}


def test_anchors_are_put_in() -> None:
    assert load("a: &a {b: 1}\nc: {<<: *a, d: 2}\ne: *a\n") == {
        "a": {"b": 1},
        "c": {"b": 1, "d": 2},
        "e": {"b": 1},
    }


def nested(alias: str) -> str:
    """Nine times nine times ... as many values, in a few lines."""
    lines = ["a0: &a0 {x: 1}"]
    lines += [f"a{n}: &a{n} {alias.format(', '.join([f'*a{n - 1}'] * 9))}" for n in range(1, 30)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("services: [", "expected"),
        ("[" * 5000, "recursion"),
        ("a: *b", "undefined alias"),
        ("a: !!python/object:os.system x", "could not determine a constructor"),
        ("? [a]\n: b", "unhashable"),
        ('a: !!int ""', "does not fit its tag"),
        ("a: !!bool x", "does not fit its tag"),
        ("a: !!timestamp x", "does not fit its tag"),
        ("a: " + "9" * 5000, "digits"),
        ("a: &a [*a]", "contains itself"),
        ("a: &a 1\nb: &a 2", "duplicate anchor"),
        (nested("[{}]"), "more than 20000 values"),
        (nested("{{<<: [{}]}}"), "more than 20000 values"),
        ("- x\n" * (MAX_NODES + 1), "more than 20000 values"),
        ("#" * (MAX_LENGTH + 1), "more than 128 kB"),
    ],
)
def test_what_is_not_loaded(text: str, says: str) -> None:
    began = time.monotonic()
    with pytest.raises(ValueError, match=f"(?i){says}"):
        load(text)
    assert time.monotonic() - began < 10


def test_the_bound_of_values_counts_what_aliases_stand_for(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "a: &a [1, 2, 3]\nb: [*a, *a]\n"
    monkeypatch.setattr(compose_file, "MAX_NODES", 19)
    assert load(text)["b"] == [[1, 2, 3], [1, 2, 3]]
    monkeypatch.setattr(compose_file, "MAX_NODES", 12)
    with pytest.raises(ValueError, match="more than 12 values"):
        load(text)


@pytest.mark.parametrize(
    ("text", "repeated"),
    [
        ("a: 1\nb: 2\na: 3\n", "a (line 3)"),
        ("a: 1\n---\nb: {c: 1, c: 2}\n", "c (line 3)"),
        ("a: &x {c: 1}\nb: {<<: *x, c: 2}\n", ""),
        ("a: &x {c: 1}\nb: {<<: *x, <<: *x}\n", ""),
        ("- a: 1\n- a: 1\n", ""),
        ("? [a]\n: 1\n? [a]\n: 2\n", ""),
        ("", ""),
    ],
)
def test_a_key_that_a_mapping_has_twice_is_told(text: str, repeated: str) -> None:
    assert compose_file.repeated_key(text) == repeated
