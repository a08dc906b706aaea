"""A stand-in for a Qdrant server: the client library's own local engine behind Qdrant's REST interface."""

from chaos.qdrant.server import QdrantStandIn

__all__ = ["QdrantStandIn"]
