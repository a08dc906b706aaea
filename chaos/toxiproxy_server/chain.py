"""How the parts of a chain pass chunks on.

```
Outlet ---feed(chunk), finish()---> Inlet
Outlet <--------resume()----------- Inlet
```

A chain is `endpoint -> stub -> ... -> endpoint`. Whoever feeds looks at `full` and waits for `resume`, so a slow end
holds up all that comes before it. Feeding itself never waits: a stub can give away at once what it holds when its
toxic is changed or removed, whether or not the far end reads.
"""

from typing import Protocol

from chaos.toxiproxy_server.chunk import Chunk


class Inlet(Protocol):
    """What chunks are put into: the next stub, or the socket at the end."""

    @property
    def full(self) -> bool: ...

    def feed(self, chunk: Chunk) -> None: ...

    def finish(self) -> None: ...


class Outlet(Protocol):
    """What chunks come from: the previous stub, or the socket at the beginning."""

    def resume(self) -> None: ...


class Nowhere:
    """Stands at the ends of a chain that is not connected."""

    full = False

    def feed(self, chunk: Chunk) -> None: ...

    def finish(self) -> None: ...

    def resume(self) -> None: ...


NOWHERE = Nowhere()
