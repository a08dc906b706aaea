"""How long a fault is still held, for whoever looks at the command."""

import math
from typing import Self

from rich.console import Console
from rich.status import Status

from chaos.demo.quantities import spoken

HINT = "Ctrl-C heals it at once."


class Countdown:
    """A line that counts down on a terminal; elsewhere one line, when the fault is there."""

    def __init__(self, console: Console, text: str) -> None:
        self._console = console
        self._text = text
        self._status = Status("breaking", console=console)
        self._begun = False

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._status.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._status.stop()

    def show(self, left: float) -> None:
        """Show how many seconds are left."""
        if self._console.is_terminal:
            self._status.update(f"{self._text}: {spoken(math.ceil(left))} left. {HINT}")
        elif not self._begun:
            self._console.print(
                f"Broken: {self._text}, for {spoken(math.ceil(left))}. {HINT}", soft_wrap=True
            )
        self._begun = True
