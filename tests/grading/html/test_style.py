"""The colours of the page can be told apart, light and dark: WCAG 2.2, 1.4.3 for text and 1.4.11 for marks."""

import re
from importlib.resources import files

import pytest

STYLE = files("grading.html").joinpath("templates", "style.css").read_text(encoding="utf-8")
TEXT = [
    *((colour, paper) for colour in ("text", "dim", "link") for paper in ("page", "raised")),
    *((colour, f"{colour}-bg") for colour in ("good", "bad", "open")),
    *((colour, paper) for colour in ("good", "bad", "open") for paper in ("page", "raised")),
    ("text", "open-bg"),
    ("dim", "open-bg"),
    *(("dim", f"band-{phase}") for phase in ("control", "fault", "recovery")),
]
MARKS = [
    "m-good",
    "m-refused",
    "m-error",
    "m-lost",
    "m-open",
    "m-aside",
    "m-fault",
    "m-stall",
    "m-log",
    "moment",
]
PAPERS = ["page", "band-control", "band-fault", "band-recovery"]


def colours(scheme: str) -> dict[str, str]:
    light, dark = STYLE.split("@media (prefers-color-scheme: dark)", 1)
    block = light if scheme == "light" else dark.split("* {", 1)[0]
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", block))


def luminance(colour: str) -> float:
    def linear(value: float) -> float:
        return value / 12.92 if value <= 0.04045 else float(((value + 0.055) / 1.055) ** 2.4)

    red, green, blue = (linear(int(colour[place : place + 2], 16) / 255) for place in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_and_marks_stand_out_from_what_is_behind_them(scheme: str) -> None:
    known = colours(scheme)

    weak = [
        f"{colour} on {paper}: {contrast(known[colour], known[paper]):.2f}"
        for pairs, least in ((TEXT, 4.5), ([(mark, paper) for mark in MARKS for paper in PAPERS], 3.0))
        for colour, paper in pairs
        if contrast(known[colour], known[paper]) < least
    ]

    assert weak == []
