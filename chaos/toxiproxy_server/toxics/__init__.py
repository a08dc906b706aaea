"""The kinds of toxics."""

from typing import Final

from chaos.toxiproxy_server.effect import Effect
from chaos.toxiproxy_server.toxics.bandwidth import Bandwidth
from chaos.toxiproxy_server.toxics.latency import Latency
from chaos.toxiproxy_server.toxics.limit_data import LimitData
from chaos.toxiproxy_server.toxics.noop import Noop
from chaos.toxiproxy_server.toxics.reset_peer import ResetPeer
from chaos.toxiproxy_server.toxics.slicer import Slicer
from chaos.toxiproxy_server.toxics.slow_close import SlowClose
from chaos.toxiproxy_server.toxics.timeout import Timeout

EFFECTS: Final[dict[str, type[Effect]]] = {
    "bandwidth": Bandwidth,
    "latency": Latency,
    "limit_data": LimitData,
    "noop": Noop,
    "reset_peer": ResetPeer,
    "slicer": Slicer,
    "slow_close": SlowClose,
    "timeout": Timeout,
}
