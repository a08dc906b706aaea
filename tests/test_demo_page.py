import pytest

from tests.demo_page import Step, steps

PAGE = """\
Text, and `$ no command`.

```console
$ first
a  ... c
$ second
```

```sh
$ not run
```

```console other
...
more
^C
```
"""


def test_steps_are_read_in_their_order() -> None:
    assert list(steps(PAGE)) == [
        Step("hands", "first", ("a  ... c",), 4),
        Step("hands", "second", (), 6),
        Step("other", None, ("...", "more"), 14),
        Step("other", "^C", (), 16),
    ]


@pytest.mark.parametrize(
    ("expected", "output", "matches"),
    [
        (["one", "two"], "one\ntwo\nthree\n", True),
        (["one", "three"], "one\ntwo\nthree\n", False),
        (["one", "...", "three"], "one\ntwo\nthree\n", True),
        (["...", "two"], "one\ntwo\n", True),
        (["...", "two"], "one\ntwo", False),
        (["a ... c"], "a  b  b  c\n", True),
        (["a ... c"], "a b\nc\n", False),
        (["a ... c"], "a b c d\n", False),
        (["1.0 (x)"], "1.0   (x)\n", True),
        (["1.0 (x)"], "110 x\n", False),
    ],
)
def test_what_is_expected(expected: list[str], output: str, matches: bool) -> None:  # noqa: FBT001
    assert bool(Step("hands", None, tuple(expected), 1).pattern.match(output)) is matches


def test_only_a_step_that_begins_with_anything_and_no_command_skips() -> None:
    assert [step.skips for step in steps(PAGE)] == [False, False, True, False]
