"""How dependencies are down while they can still be reached, or cannot."""

from chaos.history import Upstream
from lab.lab import Lab

ALL_FAIL = "all fail"
"""The label of what is asked while all dependencies are down, each in its own way."""


def down_label(upstream: Upstream, kind: str) -> str:
    """Return the label of what is asked while one dependency is down."""
    return f"down: {upstream} {kind}"


async def break_off(lab: Lab, upstream: Upstream, kind: str) -> None:
    """Have a dependency be down in one of the ways of `axes.KINDS`."""
    if kind == "refused":
        await lab.upstreams.outage(upstream)
    elif kind == "reset":
        await lab.upstreams.reset(upstream)
    else:
        lab.upstreams.fail(upstream, int(kind.removeprefix("answers ")))


async def mend(lab: Lab, upstream: Upstream, kind: str) -> None:
    """Have it be well again."""
    if kind in {"refused", "reset"}:
        await lab.upstreams.heal(upstream)
    else:
        lab.upstreams.fail(upstream, None)
