"""A toxic as the control API knows it: an effect with a name, a direction and a probability."""

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from chaos.toxiproxy_server.effect import Effect


class Direction(StrEnum):
    """Which way bytes flow: `upstream` is from the client to the server."""

    UPSTREAM = "upstream"
    DOWNSTREAM = "downstream"


@dataclass(frozen=True, slots=True)
class Toxic:
    """`stream` is the direction as the API's user spelled it."""

    name: str
    type: str
    stream: str
    toxicity: float
    effect: Effect

    @property
    def direction(self) -> Direction:
        return Direction(self.stream.lower())

    def document(self) -> dict[str, Any]:
        """As the API shows it."""
        return {
            "attributes": asdict(self.effect),
            "name": self.name,
            "type": self.type,
            "stream": self.stream,
            "toxicity": self.toxicity,
        }
