import pytest

from lab.env_file import Variable, variables


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("A=b", Variable("A", "b", active=True)),
        ("export A = b c ", Variable("A", "b c", active=True)),
        ('A="b # c" # d', Variable("A", "b # c", active=True)),
        ("A='b'", Variable("A", "b", active=True)),
        ("A=b # c", Variable("A", "b", active=True)),
        ("A=b#c", Variable("A", "b#c", active=True)),
        ("A=   # needed", Variable("A", "", active=True)),
        ("A=", Variable("A", "", active=True)),
        ("# A=b", Variable("A", "b", active=False)),
        ("#A=b", Variable("A", "b", active=False)),
    ],
)
def test_reads_a_line(line: str, expected: Variable) -> None:
    assert variables(line) == [expected]


@pytest.mark.parametrize("line", ["", "# words", "A", "# see docs: A=b", "9=b"])
def test_passes_over_what_names_no_variable(line: str) -> None:
    assert variables(line) == []
