"""Where the parts of a local stack listen; fixed, so that commands by hand can be written down."""

from collections.abc import Mapping
from dataclasses import dataclass

from chaos.ports import is_free
from lab.contract import HOST

CONTROL_PORT = 8474
"""Toxiproxy's own default."""


@dataclass(frozen=True, slots=True)
class Ports:
    """All on loopback. The service is told of the proxies; the stand-ins are what is behind these."""

    service: int = 8000
    control: int = CONTROL_PORT
    litellm: int = 8475
    qdrant: int = 8476
    mlflow: int = 8477
    litellm_stand_in: int = 8485
    qdrant_stand_in: int = 8486
    mlflow_stand_in: int = 8487

    @property
    def proxies(self) -> Mapping[str, tuple[int, int]]:
        """The proxies by name: where each listens, and where it leads."""
        return {
            "litellm": (self.litellm, self.litellm_stand_in),
            "qdrant": (self.qdrant, self.qdrant_stand_in),
            "mlflow": (self.mlflow, self.mlflow_stand_in),
        }

    def complaint(self) -> str | None:
        """A sentence on the first port that somebody else listens on; None where all are free."""
        if not is_free(HOST, self.service):
            return f"Port {self.service} is taken: end what listens there, or choose another with --port."
        others = [self.control, *(port for pair in self.proxies.values() for port in pair)]
        for port in others:
            if not is_free(HOST, port):
                part = self._name(port)
                return f"Port {port}, which the stack's {part} needs, is taken: end what listens there."
        return None

    def _name(self, port: int) -> str:
        if port == self.control:
            return "fault proxy"
        return next(
            f"{name} (fault proxy or stand-in)" for name, pair in self.proxies.items() if port in pair
        )


def url(port: int) -> str:
    """The address of what listens on `port`."""
    return f"http://{HOST}:{port}"
