import base64
import random

import pytest

from chaos.history import Planted
from lab.secrets_leak import TELLING_LENGTH, Leaks, Search
from tests.lab.story import Story

SECRET = "8c1f0d5a7b3e92466a0c4d1e5f7b8a9c0d2e4f6a8b1c3d5e"


def _leaks() -> Leaks:
    story = Story()
    story.add(Planted(name="JWT_SECRET_KEY", value=SECRET))
    return Leaks([story.end()])


@pytest.mark.parametrize(
    "text",
    [
        f"key={SECRET}",
        SECRET.upper(),
        SECRET[:TELLING_LENGTH],
        f"...{SECRET[-22:]}'}}",
        f'{{"k": "{SECRET[7:31]}"}}',
        base64.b64encode(SECRET.encode()).decode(),
        f'{{"kty": "oct", "k": "{base64.urlsafe_b64encode(SECRET.encode()).decode()}"}}',
    ],
)
def test_finds_a_secret_and_a_good_part_of_one(text: str) -> None:
    assert _leaks().find(text) == "JWT_SECRET_KEY"


@pytest.mark.parametrize("text", ["", "JWT_SECRET_KEY", f"{SECRET[:4]}...{SECRET[-4:]}"])
def test_finds_nothing_in_names_and_masks(text: str) -> None:
    assert _leaks().find(text) is None


def test_a_search_finds_the_first_piece_that_a_plain_search_finds() -> None:
    draw = random.Random(7)
    letters = "abc"
    for _ in range(500):
        value = "".join(draw.choices(letters, k=draw.randrange(30)))
        pieces = {value[start : start + 5]: f"from {start}" for start in range(max(1, len(value) - 4))}
        text = "".join(draw.choices(letters, k=draw.randrange(60)))

        assert Search(pieces).find(text) == next(
            (name for piece, name in pieces.items() if piece in text), None
        )
