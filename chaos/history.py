"""What happened in one experiment: an append-only list of events, stored as JSON Lines.

Experiments record, checks judge: everything that a verdict rests on is an event here, and nothing else is.
Times (`t`) are seconds since the experiment began, on one monotonic clock for every event source.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from chaos.contract import Contract
from chaos.plain_text import encodable

FORMAT = 2

Upstream = str
"""The name of an upstream, as the contract has it: `litellm`, `qdrant`, `redis`."""
FaultName = Literal[
    "outage", "blackhole", "hang", "reset", "close", "drip", "garbage", "status", "latency", "heal"
]
SERVICE = "service"
"""The instance that an experiment is about; others are started beside it, to see whether they start."""


class Event(BaseModel):
    """A moment in an experiment; `t` is stamped by the recorder."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    t: float = 0.0


class Began(Event):
    """The experiment began, on a service that was given this contract. The seed replays every nonce in it.

    `attempt` is 2 if a first one left something open; `after` are the seconds since the grading began.
    """

    kind: Literal["began"] = "began"
    experiment: str
    seed: int
    contract: Contract
    attempt: int = 1
    after: float | None = None
    format: int = FORMAT


class Phase(Event):
    """What follows belongs to this phase: `control` (nothing is broken), `fault` or `recovery`."""

    kind: Literal["phase"] = "phase"
    name: Literal["control", "fault", "recovery"]


class Launched(Event):
    """The service's process (or container) was started."""

    kind: Literal["launched"] = "launched"
    instance: str = SERVICE
    command: str
    cwd: str


class Ready(Event):
    """The service gave its first HTTP answer, at the `address` where the lab asks it."""

    kind: Literal["ready"] = "ready"
    instance: str = SERVICE
    address: str | None = None


class Workers(Event):
    """How many processes of the service accept connections; each may have a state of its own."""

    kind: Literal["workers"] = "workers"
    count: int


class Signalled(Event):
    """The lab sent a signal to the service, or to everything that it started (`SIGKILL` at the end)."""

    kind: Literal["signalled"] = "signalled"
    instance: str = SERVICE
    signal: str


class Exited(Event):
    """The service's main process ended: its exit code, negative for the signal that ended it.

    `cause` is set where the lab ended it for its own protection.
    """

    kind: Literal["exited"] = "exited"
    instance: str = SERVICE
    code: int
    cause: str | None = None


class Cleared(Event):
    """Everything of an instance is gone.

    `left` are command lines of processes that still ran although the service had exited, and had to be killed;
    `processor` the seconds of processor time that the instance and all that it started have used, on a machine of
    `processors`.
    """

    kind: Literal["cleared"] = "cleared"
    instance: str = SERVICE
    left: tuple[str, ...] = ()
    processor: float = 0.0
    processors: int = 1


class Log(Event):
    """One line that the service wrote, stamped when it was read; long lines are cut."""

    kind: Literal["log"] = "log"
    instance: str = SERVICE
    stream: Literal["stdout", "stderr"]
    text: str
    cut: bool = False


class Request(Event):
    """The lab sent a request to the service. `key` is the nonce in its prompt, if it has one.

    `headers` are those that the experiment set itself, `authorized` says whether it came with a token of the service's.
    `body` is the beginning of its body, as far as it is text: all of it, if it has `body_bytes`.
    """

    kind: Literal["request"] = "request"
    request: int
    label: str
    method: str
    path: str
    key: str | None = None
    source: str = "127.0.0.1"
    body_bytes: int = 0
    body: str = ""
    headers: dict[str, str] = Field(default_factory=dict)
    authorized: bool = False


class Answer(Event):
    """The service answered request number `request`, `elapsed` seconds after it was sent."""

    kind: Literal["answer"] = "answer"
    request: int
    status: int
    headers: dict[str, str]
    body: str
    cut: bool = False
    elapsed: float


class ClientResult(Event):
    """What the official `client` library made of the answer to request number `request`.

    `returned` is what it returned, as JSON; `raised` the type of the exception that it raised instead.
    """

    kind: Literal["client-result"] = "client-result"
    request: int
    client: str
    returned: str = ""
    raised: str = ""


class Part(Event):
    """The answer to request number `request` has come so far: `text` is its body up to here, with more to come."""

    kind: Literal["part"] = "part"
    request: int
    text: str


class Failure(Event):
    """Request number `request` got no whole answer.

    `timeout` is the lab's own patience running out, `aborted` the lab hanging up on purpose.
    """

    kind: Literal["failure"] = "failure"
    request: int
    error: Literal["refused", "reset", "eof", "timeout", "aborted", "malformed"]
    detail: str = ""
    elapsed: float


class Socket(Event):
    """A connection that the lab holds to the service was opened, or not (`refused`), or ended.

    It ends by `eof` or `reset` of the service, or is `closed` by the lab.
    """

    kind: Literal["socket"] = "socket"
    label: str
    state: Literal["opened", "refused", "eof", "reset", "closed"]


class Fault(Event):
    """A fault was switched on for one upstream, or (`heal`) all of its faults off.

    `outage`: connections are refused; `blackhole`: neither accepted nor refused; `hang`: accepted and never answered;
    `reset`: broken (RST) once the upstream answers; `close`: closed without an answer; `drip`: answered byte by byte, without
    end; `garbage`: answered with what is no HTTP; `status`: everything answered with the status in `detail`; `latency`:
    answers arrive late.
    """

    kind: Literal["fault"] = "fault"
    name: FaultName
    upstream: Upstream
    on: bool
    detail: str = ""


class Probe(Event):
    """The lab itself tried the address that the service uses for an upstream, to show that a fault bites."""

    kind: Literal["probe"] = "probe"
    upstream: Upstream
    outcome: Literal["connected", "refused", "timeout"]


class Call(Event):
    """A request reached an upstream stand-in. `key` is the nonce found in it; `step` is what the script does.

    `counted` is false for what is no model call (model listings, health probes). A counted chat call has the `model`
    that it asks for, and in `asked` its body, cut at 16 KiB.
    """

    kind: Literal["call"] = "call"
    call: int
    upstream: Upstream
    method: str
    path: str
    connection: int
    key: str | None = None
    step: str = ""
    counted: bool = True
    model: str | None = None
    asked: str = ""


class Reply(Event):
    """How call number `call` ended for the upstream: it answered, broke off on purpose, or lost its client.

    `usage` are the input and output tokens that a model's answer reported.
    """

    kind: Literal["reply"] = "reply"
    call: int
    outcome: Literal["answered", "broken", "client-gone"]
    status: int | None = None
    usage: tuple[int, int] | None = None


class Connection(Event):
    """A connection to an upstream stand-in was opened, or closed: by `eof` or `reset` of the other side, or by us."""

    kind: Literal["connection"] = "connection"
    upstream: Upstream
    connection: int
    state: Literal["opened", "eof", "reset", "closed"]


TracePart = Literal["prompt", "answer", "model", "tokens"]
TRACE_PARTS: tuple[TracePart, ...] = get_args(TracePart)
"""What a trace holds of its request."""


class Trace(Event):
    """A trace of the prompt with this `key` was found: in the MLflow stand-in, or in a file that the service wrote.

    `holds` is what is known of the request there by now; it is complete with all of `TRACE_PARTS`.
    """

    kind: Literal["trace"] = "trace"
    key: str
    place: Literal["mlflow", "file"]
    detail: str = ""
    holds: tuple[TracePart, ...] = TRACE_PARTS


class Planted(Event):
    """The service was given a secret of this experiment's own, in the variable `name`; it must turn up nowhere."""

    kind: Literal["planted"] = "planted"
    name: str
    value: str


class Given(Event):
    """The service was given more than its contract says, for this experiment alone.

    `variables` are added to its environment, where None takes one away; `env_file` is the `.env` in its folder.
    """

    kind: Literal["given"] = "given"
    variables: dict[str, str | None] = Field(default_factory=dict)
    env_file: str = ""


class Tried(Event):
    """What comes next tries one value of an axis along which a criterion is judged: `/llm/models` of `endpoints`."""

    kind: Literal["tried"] = "tried"
    axis: str
    value: str


class File(Event):
    """A file of the submission, as it was handed to the service; `path` is relative to the submission."""

    kind: Literal["file"] = "file"
    path: str
    text: str


class Database(Event):
    """What a database of the service's held, as pg_dump writes it; `cut` if it is more than a record can hold.

    `problem` says why it could not be read.
    """

    kind: Literal["database"] = "database"
    upstream: Upstream
    text: str = ""
    cut: bool = False
    problem: str = ""


class Tree(Event):
    """The paths of the submission's files and folders, as they were handed to the service; at most some thousands."""

    kind: Literal["tree"] = "tree"
    paths: tuple[str, ...]


class OwnTest(BaseModel):
    """One of a submission's own tests, by its file and its function (`Class.function`), and how it ended."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    file: str
    name: str
    outcome: Literal["passed", "failed", "skipped"]


class OwnTests(Event):
    """The submission's own tests ran, on the service as it is or with the `fault` in it.

    `cases` are what pytest has counted; none where `problem` says why there is nothing to count.
    """

    kind: Literal["own-tests"] = "own-tests"
    fault: str = ""
    cases: tuple[OwnTest, ...] = ()
    problem: str = ""


class Linted(Event):
    """The submission's linter ran on it; what it said are log lines of the instance `linter`.

    `code` is its exit code; None where `problem` says why it tells nothing of the code.
    """

    kind: Literal["linted"] = "linted"
    code: int | None = None
    problem: str = ""


class CoveredFile(BaseModel):
    """A file of the service's: how many of its lines can run, and how many of these the submission's tests have run."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    file: str
    lines: int
    executed: int


class Covered(Event):
    """The submission's own tests ran, and the lines of its service that they ran were counted.

    There are no `files` where `problem` says why nothing could be counted.
    """

    kind: Literal["covered"] = "covered"
    files: tuple[CoveredFile, ...] = ()
    problem: str = ""


class Stall(Event):
    """The lab itself got the processor late, or not at all, in the last `seconds`: what was measured then is not to be trusted.

    `late` is the longest that it had to wait at once; None where that is all of it.
    """

    kind: Literal["stall"] = "stall"
    seconds: float
    late: float | None = None


class HarnessFault(Event):
    """Something of the lab's own failed, so nothing in this history may cost the submission a point.

    `reachable` says whether the submission can have caused it: then it may do so once, and a second time it has failed.
    """

    kind: Literal["harness-fault"] = "harness-fault"
    reason: str
    reachable: bool = False


class Overran(Event):
    """The experiment was given up, for it went on longer than its `limit` in seconds: the service answered too slowly."""

    kind: Literal["overran"] = "overran"
    limit: float


class Skipped(Event):
    """The experiment was not tried: what it needs had failed in `experiment` already."""

    kind: Literal["skipped"] = "skipped"
    experiment: str


class Ended(Event):
    """The experiment ran to its end. A history without this event was cut short."""

    kind: Literal["ended"] = "ended"


AnyEvent = Annotated[
    Began
    | Phase
    | Launched
    | Ready
    | Workers
    | Signalled
    | Exited
    | Cleared
    | Log
    | Request
    | Answer
    | ClientResult
    | Part
    | Failure
    | Socket
    | Fault
    | Probe
    | Call
    | Reply
    | Connection
    | Trace
    | Planted
    | Given
    | Tried
    | File
    | Database
    | Tree
    | OwnTests
    | Linted
    | Covered
    | Stall
    | HarnessFault
    | Overran
    | Skipped
    | Ended,
    Field(discriminator="kind"),
]
_EVENTS: TypeAdapter[list[AnyEvent]] = TypeAdapter(list[AnyEvent])

E = TypeVar("E", bound=Event)


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request of the lab's with what came of it; `end` is None where the history was cut before that."""

    request: Request
    end: Answer | Failure | None

    @property
    def answer(self) -> Answer | None:
        return self.end if isinstance(self.end, Answer) else None

    @property
    def status(self) -> int | None:
        return self.end.status if isinstance(self.end, Answer) else None


@dataclass(frozen=True, slots=True)
class UpstreamCall:
    """A call that reached an upstream with how it ended; `reply` is None while it was still held."""

    call: Call
    reply: Reply | None


def _line(event: Event) -> str:
    try:
        return event.model_dump_json()
    except ValueError:
        # JSON can spell halves of characters, which a service then has in its texts and UTF-8 has not.
        return encodable(json.dumps(event.model_dump(mode="json"), ensure_ascii=False))


class History:
    """The events of one experiment, in the order in which they were recorded. Dozens of checks ask it the same."""

    def __init__(self, events: Iterable[Event]) -> None:
        self.events = tuple(events)
        self._by_kind: dict[type[Any], list[Any]] = {}
        for event in self.events:
            self._by_kind.setdefault(type(event), []).append(event)
        self._by_instance: dict[str, History] = {}

    @property
    def contract(self) -> Contract:
        """What the service was given; raises ValueError where the history does not begin with that."""
        began = self.first(Began)
        if began is None:
            raise ValueError("the history has no beginning")
        return began.contract

    def of(self, kind: type[E]) -> list[E]:
        """All events of one type."""
        return list(self._all(kind))

    def first(self, kind: type[E]) -> E | None:
        return next(iter(self._all(kind)), None)

    def _all(self, kind: type[E]) -> list[E]:
        if kind not in self._by_kind:
            self._by_kind[kind] = [event for event in self.events if isinstance(event, kind)]
        return self._by_kind[kind]

    def file(self, path: str) -> File | None:
        """Return the recorded file at a path of the submission's."""
        return next((file for file in self.of(File) if file.path == path), None)

    def instance(self, name: str = SERVICE) -> "History":
        """Return the history without what other instances of the service did."""
        if name not in self._by_instance:
            # A field that a model does not have is found missing ten times as fast in its __dict__.
            own = (event for event in self.events if vars(event).get("instance", name) == name)
            self._by_instance[name] = History(own)
        return self._by_instance[name]

    def index(self, event: Event) -> int:
        """Where this very event stands; raises ValueError where it does not."""
        for position, candidate in enumerate(self.events):
            if candidate is event:
                return position
        raise ValueError(event)

    def exchanges(self, label: str | None = None, *, key: str | None = None) -> list[Exchange]:
        """Requests with their answers, in the order of sending; only those with this label and key, if given."""
        asked = self._all(Request) if label is None else self._by_label.get(label, [])
        return [Exchange(event, self._ends.get(event.request)) for event in asked if key in {None, event.key}]

    def calls(self, upstream: Upstream | None = None, *, key: str | None = None) -> list[UpstreamCall]:
        """The counted calls that reached an upstream, by default the model, in the order of arrival."""
        upstream = upstream or self.contract.model
        return [
            UpstreamCall(event, self._replies.get(event.call))
            for event in self._all(Call)
            if event.upstream == upstream and event.counted and key in {None, event.key}
        ]

    @cached_property
    def _by_label(self) -> dict[str, list[Request]]:
        asked: dict[str, list[Request]] = {}
        for event in self._all(Request):
            asked.setdefault(event.label, []).append(event)
        return asked

    @cached_property
    def _ends(self) -> dict[int, Answer | Failure]:
        return {event.request: event for event in self.events if isinstance(event, Answer | Failure)}

    @cached_property
    def _replies(self) -> dict[int, Reply]:
        return {event.call: event for event in self._all(Reply)}

    def dump(self, path: Path) -> None:
        """Write the events to `path` as JSON Lines."""
        path.write_text("".join(_line(event) + "\n" for event in self.events), encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> "History":
        """Read a history that `dump` wrote; raises ValueError on a line that is no event."""
        with path.open("rb") as lines:
            return cls(_EVENTS.validate_json(b"[%s]" % b",".join(lines)))  # at once takes half the time
