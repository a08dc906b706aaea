"""Steps that send what no API says: bodies as they are given, and connections that end without an answer."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from chaos.llm.steps import Outcome, Turn


@dataclass(frozen=True, slots=True)
class Raw:
    """Answer with `body` as it is, whatever the call asks for. A history has the `name`."""

    body: bytes
    name: str = "raw"
    status: int = 200
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)

    async def play(self, turn: Turn) -> Outcome:
        headers = [("content-type", self.content_type), *self.headers.items()]
        await turn.responder.send(self.status, self.body, headers=headers)
        return "answered"


@dataclass(frozen=True, slots=True)
class Closed:
    """Close the connection (FIN) once the request is read, without a byte of an answer."""

    name: str = field(default="closed", init=False)

    async def play(self, turn: Turn) -> Outcome:
        turn.responder.close()
        return "broken"
