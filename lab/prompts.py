"""Prompts that no cache has seen before, each with a key that ties it to what it causes."""

import random

from chaos.keys import answer_code

_SUBJECTS = (
    "alpine lichen", "bridge bearings", "coastal fog", "desert wells", "early sundials", "felt making",
    "glass harps", "harbour cranes", "ice roads", "jute sails", "kiln bricks", "lunar tides",
    "moss gardens", "night trains", "olive presses", "peat bogs", "quarry tools", "river locks",
    "salt mines", "tram signals", "umbrella frames", "violin varnish", "water clocks", "yew bows",
)  # fmt: skip
_QUESTIONS = (
    "Which shelf mark belongs to the entry {key} on {one} and {two}?",
    "Please look up what we hold on {one}, filed with {two} as {key}, and give its number.",
    "A reader asks about {two} and {one}; the slip says {key}. One sentence is enough.",
    "Summarise the note {key} in one sentence. It compares {one} with {two}.",
)
_LISTED = 10
"""Subjects in a long prompt or answer."""


def prompt(key: str) -> str:
    """Return a prompt that holds `key`; its words differ too, so that a cache by meaning takes no two for one."""
    source = random.Random(key)  # noqa: S311 - must be replayable, need not be secret
    one, two = source.sample(_SUBJECTS, 2)
    return source.choice(_QUESTIONS).format(key=key, one=one, two=two)


def long_prompt(key: str) -> str:
    """Return a prompt of 150 to 250 characters that holds `key` near its end: its beginning alone does not show it."""
    return f"We have notes on {_subjects(key)}. Please look up the one that is filed as {key}."


def long_answer(key: str) -> str:
    """Return an answer of 150 to 250 characters to the prompt with `key`, with the answer's own nonce near its end."""
    return f"The register lists {_subjects(key)}. The shelf mark is {answer_code(key)}."


def _subjects(key: str) -> str:
    source = random.Random(key)  # noqa: S311 - must be replayable, need not be secret
    return ", ".join(source.sample(_SUBJECTS, _LISTED))
