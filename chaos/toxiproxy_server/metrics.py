"""Byte counters per proxy and direction, in the Prometheus text format."""

from collections import defaultdict
from dataclasses import dataclass
from typing import NamedTuple

from chaos.toxiproxy_server.toxic import Direction


class Labels(NamedTuple):
    """Names as in Toxiproxy's METRICS.md, in the order in which Prometheus prints them."""

    direction: Direction
    listener: str
    proxy: str
    upstream: str

    def __str__(self) -> str:
        return ",".join(f'{name}="{escape(value)}"' for name, value in self._asdict().items())


@dataclass(slots=True)
class Traffic:
    """Bytes of one direction: what was `received` at its beginning, and `sent` at its end."""

    received: int = 0
    sent: int = 0


class Metrics:
    """The traffic of all proxies, counted as it flows."""

    def __init__(self) -> None:
        self._traffic: dict[Labels, Traffic] = defaultdict(Traffic)

    def traffic(self, labels: Labels) -> Traffic:
        return self._traffic[labels]

    def render(self) -> str:
        lines = []
        for counter in ("received", "sent"):
            name = f"toxiproxy_proxy_{counter}_bytes_total"
            lines.append(f"# TYPE {name} counter")
            lines += [
                f"{name}{{{labels}}} {getattr(traffic, counter)}"
                for labels, traffic in sorted(self._traffic.items())
            ]
        return "\n".join([*lines, ""])


def escape(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
