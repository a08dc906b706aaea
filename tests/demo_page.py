"""Reads a lesson: a page with blocks of commands and of what they print.

    ```console traffic
    $ a command
    what it prints, with ... for anything
    ```

A block belongs to the terminal that it names, or to `hands`. A line `...` stands for any number of lines, `...` within a
line for any text. Lines without a command before them go on with what the terminal's last command prints; where the
first of them is `...`, only with what it prints from then on. `^C` is Ctrl-C for it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

DEFAULT = "hands"
INTERRUPT = "^C"

_BLOCK = re.compile(r"^```console(?: (\w+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Step:
    """What to do in a terminal (run a command, Ctrl-C, or nothing), and what is to be seen there then."""

    terminal: str
    do: str | None
    expected: tuple[str, ...]
    line: int

    @property
    def skips(self) -> bool:
        """Whether only what is printed from now on counts."""
        return self.do is None and self.expected[:1] == ("...",)

    @property
    def pattern(self) -> re.Pattern[str]:
        """Matches output that begins as expected."""
        return re.compile("".join(map(_line, self.expected)))


def steps(page: str) -> Iterator[Step]:
    for block in _BLOCK.finditer(page):
        terminal = block[1] or DEFAULT
        number = page.count("\n", 0, block.start(2)) + 1
        do: str | None = None
        start = number
        expected: list[str] = []
        for at, line in enumerate(block[2].splitlines(), start=number):
            if line.startswith("$ ") or line == INTERRUPT:
                if do is not None or expected:
                    yield Step(terminal, do, tuple(expected), start)
                do, start, expected = line.removeprefix("$ "), at, []
            else:
                expected.append(line)
        yield Step(terminal, do, tuple(expected), start)


def _line(text: str) -> str:
    if text == "...":
        return r"(?:.*\n)*?"
    parts = (r"\s+".join(map(re.escape, part.split(" "))) for part in re.sub(" +", " ", text).split("..."))
    return r"[ \t]*" + ".*?".join(parts).replace(r"\s+", r"[ \t]+") + r"[ \t]*\n"
