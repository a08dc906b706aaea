"""What GET /health/detailed must say while some dependencies are down."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from chaos.history import Answer, Exchange, Failure, Fault, History, Upstream
from lab.flags import Known, Reader
from lab.reading import outcome

NAMES: dict[Upstream, tuple[str, ...]] = {
    "qdrant": ("qdrant", "vector", "semanticcache", "embeddingstore"),
    "litellm": ("litellm", "llm", "gateway", "provider", "model", "inference", "proxy"),
    "mlflow": ("mlflow", "tracking", "tracing", "trace", "experiment", "observability"),
}
"""What the flag of a dependency may be called, without its underscores, the likeliest first."""
DEPENDENCIES: tuple[Upstream, ...] = tuple(NAMES)
SEEN_SECONDS = 35.0
"""A change has to show by then; reports may be kept for 30 s."""
KEPT_SECONDS = 30.0
"""A report may be kept so long."""
RESTED_LABEL = "after a rest"
CROWD_LABEL = "crowd"
OTHERWISE_LABEL = "asked otherwise"
_HANGS = {"blackhole", "hang"}
_LATE_SECONDS = 10.0
"""An answer that comes so late is none; one that comes a little later is."""


@dataclass(frozen=True, slots=True)
class State:
    """The reports asked for under one label, and what was down meanwhile, and how.

    `healed` are the dependencies that were down in the state before.
    """

    label: str
    asked: tuple[Exchange, ...]
    faults: tuple[Fault, ...]
    healed: frozenset[Upstream] = frozenset()

    @property
    def down(self) -> frozenset[Upstream]:
        return frozenset(fault.upstream for fault in self.faults)

    @property
    def hangs(self) -> bool:
        """Whether all that is down hangs, so that only a time limit tells."""
        return bool(self.faults) and all(_hangs(fault) for fault in self.faults)

    @property
    def last_look(self) -> tuple[Exchange, ...]:
        """The last reports that were asked for at once; those that a rate limit kept back are left out, unless all were."""
        look = [self.asked[-1]]
        for one in reversed(self.asked[:-1]):
            if one.end and one.end.t < look[-1].request.t:
                break
            look.append(one)
        return tuple(one for one in reversed(look) if one.status != 429) or self.asked[-1:]

    @property
    def what(self) -> str:
        return " and ".join(
            f"{fault.upstream} {_TOLD[fault.name].format(fault.detail)}" for fault in self.faults
        )


_TOLD = {
    "outage": "refuses connections",
    "blackhole": "takes no connections",
    "hang": "never answers",
    "reset": "resets connections",
    "close": "hangs up",
    "garbage": "answers no HTTP",
    "status": "answers {}",
    "latency": "answers after {}",
    "heal": "is up",
}


def states(history: History) -> list[State]:
    """Return the states of the dependencies that a history asked for reports in, in their order."""
    found: list[State] = []
    before: frozenset[Upstream] = frozenset()
    for label, asked in _by_label(history).items():
        faults = _faults_at(history, asked[0].request.t)
        state = State(label, tuple(asked), faults, before - {fault.upstream for fault in faults})
        found.append(state)
        before = state.down
    return found


def reader(found: Sequence[State]) -> Reader:
    """Return a reader of reports that knows the last ones of these states."""
    return Reader.taught(
        NAMES,
        (
            Known(one.end.body, state.down)
            for state in found
            for one in state.last_look
            if isinstance(one.end, Answer)
        ),
    )


def shows(
    end: Answer | Failure | None,
    down: Collection[Upstream],
    reader: Reader,
    *,
    whatever: Collection[Upstream] = (),
) -> bool:
    """Whether an answer says, by status and flags, that these are down and the others up, `whatever` some others are."""
    if not isinstance(end, Answer) or end.status != (503 if down else 200):
        return False
    seen = reader.read(end.body)
    return all(seen[one] is (one not in down) for one in DEPENDENCIES if one in down or one not in whatever)


def told(end: Answer | Failure | None, reader: Reader) -> str:
    """Say in a few words what an answer says of the dependencies."""
    if not isinstance(end, Answer):
        return outcome(end)
    words = {True: "true", False: "false", None: "not there"}
    seen = reader.read(end.body)
    if not any(flag is not None for flag in seen.values()):
        return f"{end.status}, which names no dependency"
    return f"{end.status}: " + ", ".join(f"{one} {words[flag]}" for one, flag in seen.items())


def _by_label(history: History) -> dict[str, list[Exchange]]:
    path = history.contract.endpoints["readiness"]
    found: dict[str, list[Exchange]] = {}
    for one in history.exchanges():
        label = one.request.label
        if one.request.path == path and CROWD_LABEL not in label and label != OTHERWISE_LABEL:
            found.setdefault(label, []).append(one)
    return found


def _faults_at(history: History, moment: float) -> tuple[Fault, ...]:
    """Return the faults that are on, by the dependencies' order; one that only slows an answer down is none."""
    on: dict[Upstream, Fault] = {}
    for fault in history.of(Fault):
        if fault.t > moment:
            break
        if fault.name == "heal":
            on.pop(fault.upstream, None)
        elif fault.name != "latency" or _late(fault):
            on[fault.upstream] = fault
    return tuple(on[one] for one in DEPENDENCIES if one in on)


def _hangs(fault: Fault) -> bool:
    return fault.name in _HANGS or (fault.name == "latency" and _late(fault))


def _late(fault: Fault) -> bool:
    return float(fault.detail.removesuffix(" s") or 0) >= _LATE_SECONDS
