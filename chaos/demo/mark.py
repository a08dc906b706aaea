"""The end of a fault, written into the name of its toxic: all that has to be known of it is where it is."""

import re
from dataclasses import dataclass
from typing import Literal, Self

Kind = Literal["latency", "outage", "freeze"]

_NAME = re.compile(r"demo_(latency|outage|freeze)_until_(\d{1,12})")


@dataclass(frozen=True, slots=True)
class Mark:
    """A fault of this command's: of which kind, and until when, in seconds of Unix time."""

    kind: Kind
    until: int

    @property
    def name(self) -> str:
        """The toxic's name."""
        return f"demo_{self.kind}_until_{self.until}"

    @classmethod
    def parse(cls, name: str) -> Self | None:
        """Read a toxic's name; None for those of others."""
        match _NAME.fullmatch(name):
            case None:
                return None
            case found:
                kind: Kind = found[1]  # type: ignore[assignment]  # the pattern has no others
                return cls(kind, int(found[2]))
