import itertools
import math
import subprocess
import sys

import pytest

from chaos.vectors import vector

pytestmark = pytest.mark.medium

SIZES = (384, 1536)
ASKED = "How do I reset my password on the portal?"


def cosine(one: str, other: str, dimensions: int) -> float:
    pairs = zip(vector(one, dimensions), vector(other, dimensions), strict=True)
    return sum(x * y for x, y in pairs)


@pytest.mark.parametrize("dimensions", SIZES)
def test_the_more_words_texts_share_the_nearer_they_are(dimensions: int) -> None:
    most = cosine(ASKED, "How do I reset my password on the website?", dimensions)
    few = cosine(ASKED, "My password is old", dimensions)
    none = cosine(ASKED, "Weather will turn cold at noon", dimensions)

    assert most > 0.75
    assert most > few + 0.3
    assert few > abs(none) + 0.1
    assert abs(none) < 0.15


@pytest.mark.parametrize("dimensions", SIZES)
def test_words_are_nearly_orthogonal(dimensions: int) -> None:
    words = [f"word{number}" for number in range(50)]

    assert max(abs(cosine(*pair, dimensions)) for pair in itertools.combinations(words, 2)) < 0.3


@pytest.mark.parametrize("text", [ASKED, "", "?!", " ", "Grüße aus Köln", "x"])
@pytest.mark.parametrize("dimensions", [1, 8, *SIZES])
def test_a_vector_has_length_one_and_is_the_same_every_time(text: str, dimensions: int) -> None:
    once = vector(text, dimensions)

    assert len(once) == dimensions
    assert math.isclose(sum(x * x for x in once), 1.0)
    assert once == vector(text, dimensions)


def test_case_and_punctuation_do_not_matter() -> None:
    assert vector("Reset, my PASSWORD!", 384) == vector("reset my password", 384)


def test_a_vector_is_the_same_in_every_process() -> None:
    program = f"from chaos.vectors import vector; print(vector({ASKED!r}, 8))"
    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert printed.stdout.strip() == str(vector(ASKED, 8))
