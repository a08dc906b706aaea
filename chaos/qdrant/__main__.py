"""`python -m chaos.qdrant`: a vector store in memory, where Qdrant itself cannot be had."""

import sys

from chaos.qdrant.server import QdrantStandIn
from chaos.standalone import run

if __name__ == "__main__":
    sys.exit(run(QdrantStandIn, port=6333, description=__doc__))
