"""What GET /health/detailed must say while some dependencies are down."""

from collections.abc import Collection

from chaos.history import Answer, Failure, Upstream
from lab.flags import flags
from lab.reading import outcome

NAMES: dict[Upstream, tuple[str, ...]] = {
    "qdrant": ("qdrant",),
    "litellm": ("litellm", "llm"),
    "mlflow": ("mlflow",),
}
"""What the flag of a dependency may be called."""
DEPENDENCIES: tuple[Upstream, ...] = tuple(NAMES)
SEEN_SECONDS = 35.0
"""A change has to show by then; reports may be kept for 30 s."""


def shows(
    end: Answer | Failure | None, down: Collection[Upstream], *, whatever: Collection[Upstream] = ()
) -> bool:
    """Whether an answer says, by status and flags, that these are down and the others up, `whatever` some others are."""
    if not isinstance(end, Answer) or end.status != (503 if down else 200):
        return False
    seen = flags(end.body, NAMES)
    return all(seen[one] is (one not in down) for one in DEPENDENCIES if one in down or one not in whatever)


def told(end: Answer | Failure | None) -> str:
    """Say in a few words what an answer says of the dependencies."""
    if not isinstance(end, Answer):
        return outcome(end)
    words = {True: "true", False: "false", None: "not there"}
    seen = flags(end.body, NAMES)
    if not any(flag is not None for flag in seen.values()):
        return f"{end.status}, which names no dependency"
    return f"{end.status}: " + ", ".join(f"{one} {words[flag]}" for one, flag in seen.items())
