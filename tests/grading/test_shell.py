import pytest

from grading.start import shell


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("a && b || c", [("a", "&&"), ("b", "||"), ("c", "")]),
        ("a; b\nc &\nd | e", [("a", ";"), ("b", "\n"), ("c", "&"), ("d", "|"), ("e", "")]),
        ("a 2>&1 && b &> log", [("a 2>&1", "&&"), ("b &> log", "")]),
        ("echo 'x && y' \"a;b\" \\; c", [("echo 'x && y' \"a;b\" \\; c", "")]),
        ("a $(b && c) ${D:-e;f}; g", [("a $(b && c) ${D:-e;f}", ";"), ("g", "")]),
        ("#!/bin/sh\n# a && b\n\na \\\n  b\n", [("a    b", "\n")]),
        ("", []),
        ("'open && b", [("'open && b", "")]),
    ],
)
def test_scripts_are_split_into_commands(script: str, expected: list[tuple[str, str]]) -> None:
    assert shell.commands(script) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$A/${A}", "1/1"),
        ("${A:-x}${B:-x}${C:-x}", "1xx"),
        ("${B-x}${C-x}", "x"),
        ("${A:+y}${C:+y}", "y"),
        ("$$A $", "$A $"),
        ("${C}", None),
        ("$C", None),
        ("${C:?needed}", None),
        ("plain", "plain"),
    ],
)
def test_variables_are_put_in(text: str, expected: str | None) -> None:
    assert shell.expand(text, {"A": "1", "B": ""}) == expected
