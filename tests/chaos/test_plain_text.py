"""What comes from submissions, made fit to be shown."""

import time

import pytest

from chaos.plain_text import encodable, plain, without_commands


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("two\nlines\tand a tab", "two\nlines\tand a tab"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;a title\x07rest", "rest"),
        ("\x1b]8;;http://evil\x1b\\link", "link"),
        ("\x1bPq sixel \x1b\\rest", "rest"),
        ("\x1bcreset", "reset"),
        ("a\x9b31mb", "a 31mb"),
        ("bell\x07 back\x08 return\r over", "bell  back  return  over"),
        ("reordered \u202egnp.exe", "reordered  gnp.exe"),
        ("hid\u200bden \u2066isolated\u2069", "hid den  isolated "),
        ("half \ud83d of it", "half   of it"),
        ("one\u2028two", "one two"),
        ("Grüße, 日本語 and 🙂", "Grüße, 日本語 and 🙂"),
    ],
)
def test_nothing_steers_reorders_or_hides(text: str, shown: str) -> None:
    assert plain(text) == shown
    assert plain(text).encode()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("::set-output name=points::100", ": :set-output name=points: :100"),
        (":::add-mask::0", ": : :add-mask: :0"),
        ("log: ##[error]###[group]", "log: ## [error]### [group]"),
        ("http://127.0.0.1:8000/ # [x] ##", "http://127.0.0.1:8000/ # [x] ##"),
    ],
)
def test_github_actions_knows_no_command(text: str, shown: str) -> None:
    assert without_commands(text) == shown


@pytest.mark.parametrize("piece", ["\x1b[", "\x1b]", "\x1b[1;", "\x1b]\x1b]x", "\x1b"])
def test_it_takes_time_in_proportion(piece: str) -> None:
    def seconds(count: int) -> float:
        began = time.process_time()
        plain(piece * count)
        return time.process_time() - began

    assert seconds(200_000) < 60 * max(seconds(10_000), 0.001)


def test_halves_of_characters_become_question_marks() -> None:
    assert encodable("a\ud800b") == "a?b"
