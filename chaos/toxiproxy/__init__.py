"""Toxiproxy: a typed client for it, an embedded server that speaks its API, and how to start either."""

from chaos.toxiproxy.client import ProxyHandle, Toxiproxy
from chaos.toxiproxy.errors import (
    ConflictError,
    ControlTimeoutError,
    NotFoundError,
    ToxiproxyError,
    UnreachableError,
)
from chaos.toxiproxy.launch import command, find_server, free_port, wait_until_up
from chaos.toxiproxy.models import Proxy, ProxySpec, Stream, Toxic

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
    "command",
    "find_server",
    "free_port",
    "wait_until_up",
]
