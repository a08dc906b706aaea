"""What a toxic does to a stream."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from chaos.toxiproxy.server.stage import Stage


@dataclass(frozen=True)
class Effect(ABC):
    """A toxic's attributes, all integers, and the loop that it runs on every connection.

    What a connection needs to remember is on its stage, so one effect serves all connections.
    """

    buffer: ClassVar[int] = 1
    """How many chunks may queue before it."""

    closes_on_removal: ClassVar[bool] = False
    """Whether connections cannot go on without it, because data was dropped."""

    def check(self) -> None:
        """Raise ValueError where the attributes make no sense together."""
        return

    @abstractmethod
    async def pipe(self, stage: Stage) -> None:
        """Pass the stage's chunks on in its own way; returning ends the stream.

        It is cancelled whenever the toxic changes, and must neither hold a chunk outside `Stage.send` then nor
        wait for anything: what it has not taken stays in the stage's queue.
        """
