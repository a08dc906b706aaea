"""Where the parts of a local stack listen; fixed, so that commands by hand can be written down."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from chaos.contract import Contract
from chaos.network import LOOPBACK_ADDRESS as HOST
from chaos.ports import is_free

CONTROL_PORT = 8474
"""Toxiproxy's own default."""


FIRST_PROXY = 8475
FIRST_STAND_IN = 8485


@dataclass(frozen=True, slots=True)
class Ports:
    """All on loopback. `upstreams` by name: where the proxy listens, of which the service is told, and the stand-in."""

    service: int = 8000
    control: int = CONTROL_PORT
    upstreams: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    @classmethod
    def usual(cls, contract: Contract, service: int | None = None) -> "Ports":
        """Return the ports that commands by hand count on, for the upstreams of a contract in their order."""
        names = enumerate(contract.upstreams)
        pairs = {name: (FIRST_PROXY + place, FIRST_STAND_IN + place) for place, name in names}
        return cls(service=service or cls().service, upstreams=pairs)

    def complaint(self) -> str | None:
        """A sentence on the first port that somebody else listens on; None where all are free."""
        if not is_free(HOST, self.service):
            return f"Port {self.service} is taken: end what listens there, or choose another with --port."
        others = [self.control, *(port for pair in self.upstreams.values() for port in pair)]
        for port in others:
            if not is_free(HOST, port):
                part = self._name(port)
                return f"Port {port}, which the stack's {part} needs, is taken: end what listens there."
        return None

    def _name(self, port: int) -> str:
        if port == self.control:
            return "fault proxy"
        return next(
            f"{name} (fault proxy or stand-in)" for name, pair in self.upstreams.items() if port in pair
        )


def url(port: int) -> str:
    """The address of what listens on `port`."""
    return f"http://{HOST}:{port}"
