"""A typed client for Toxiproxy, how to start a server (the real one, or `chaos.toxiproxy_server`), and a check of it."""

from chaos.toxiproxy.client import ProxyHandle, Toxiproxy
from chaos.toxiproxy.errors import (
    ConflictError,
    ControlTimeoutError,
    NotFoundError,
    ToxiproxyError,
    UnreachableError,
)
from chaos.toxiproxy.launch import command, find_server, wait_until_up
from chaos.toxiproxy.models import Proxy, ProxySpec, Stream, Toxic
from chaos.toxiproxy.selfcheck import check_bytes

__all__ = [
    "ConflictError",
    "ControlTimeoutError",
    "NotFoundError",
    "Proxy",
    "ProxyHandle",
    "ProxySpec",
    "Stream",
    "Toxic",
    "Toxiproxy",
    "ToxiproxyError",
    "UnreachableError",
    "check_bytes",
    "command",
    "find_server",
    "wait_until_up",
]
