"""The axes of exercise 3: how a model fails, what callers send, and who is served meanwhile."""

from collections.abc import Sequence
from dataclasses import dataclass

from chaos.llm import After, Answer, Drip, Hang, RateLimited, Reset, StalledStream, Status, Step
from exercises.exam.ex3_timeouts_limits_breaker.outage import KINDS, ByPrompt, Outage, Scripted, Severed
from lab.axes import Axes, Axis, plain

DRIP_SECONDS = 0.5
SLOW_DRIP_SECONDS = 4.0
FAILS_AFTER_SECONDS = 13.0
"""Two such attempts fit into the deadline, four do not; and two fail too seldom to open a breaker."""
THINKS_SECONDS = 3.0

_MB = 1_000_000
SENT_OF_MANY = 1_500_000
"""How much of 40 MB is sent: enough for a service that counts, and no end for one that reads everything first."""

FIRST_OUTAGES: Axis[Outage] = Axis(KINDS, {"status 503": Scripted(Status(503)), "reset": Severed("reset")})
MIDDLE_OUTAGES: Axis[Outage] = Axis(
    KINDS,
    {
        "status 500": Scripted(Status(500)),
        "status 504": Scripted(Status(504)),
        "refused": Severed("outage"),
    },
)
LAST_OUTAGES: Axis[Outage] = Axis(KINDS, {"status 502": Scripted(Status(502)), "closed": Scripted(Reset())})
UNREACHABLE: Axis[Outage] = Axis(KINDS, {"unreachable": Severed("blackhole")})
HANG: Axis[Outage] = Axis(KINDS, {"hang": ByPrompt()})
DRIP: Axis[Outage] = Axis(KINDS, {"drip": ByPrompt()})
OUTAGES: Axis[Outage] = Axis(
    KINDS,
    {
        name: outage
        for axis in (FIRST_OUTAGES, MIDDLE_OUTAGES, LAST_OUTAGES, UNREACHABLE, HANG, DRIP)
        for name, outage in axis.values.items()
    },
)
"""Each in an instance that has time for it; what the calls of one cannot reach, the others meet."""

HANGS: Axis[Step] = Axis("ways to hang", {"before the answer": Hang(), "within the answer": StalledStream()})
LATE_FAILURES: Axis[Step] = Axis(
    "late failures",
    {
        "reset": After(FAILS_AFTER_SECONDS, Reset()),
        "status 503": After(FAILS_AFTER_SECONDS, Status(503)),
    },
)
DRIPS: Axis[Step] = Axis(
    "ways to drip", {"every half second": Drip(DRIP_SECONDS), "every four seconds": Drip(SLOW_DRIP_SECONDS)}
)
BYSTANDERS = plain(
    "other endpoints", ("alive", "login", "me", "models", "v1_models", "cache_stats", "metrics")
)


@dataclass(frozen=True, slots=True)
class Body:
    """A body of `size` bytes, of which only `sent` are sent, and the statuses that its request may meet."""

    size: int
    statuses: frozenset[int]
    sent: int | None = None
    chunked: bool = False
    content_type: str = "application/json"
    token: bool = True


_TOO_LARGE = frozenset({413})
_NO_LENGTH = frozenset({411, 413})
_NOT_TOO_LARGE = frozenset(range(200, 500)) - {400, 413}
"""The body is a right request, and only long."""

LARGE_BODIES: Axis[Body] = Axis(
    "bodies over the limit",
    {
        "1.2 MB with a Content-Length": Body(1_200_000, _TOO_LARGE),
        "1.2 MB in chunks": Body(1_200_000, _NO_LENGTH, chunked=True),
        "40 MB with a Content-Length": Body(40 * _MB, _TOO_LARGE, sent=SENT_OF_MANY),
        "40 MB in chunks": Body(40 * _MB, _NO_LENGTH, sent=SENT_OF_MANY, chunked=True),
        "40 MB of text": Body(40 * _MB, _TOO_LARGE | {415}, sent=SENT_OF_MANY, content_type="text/plain"),
        "40 MB without a token": Body(40 * _MB, _TOO_LARGE | {401, 403}, sent=SENT_OF_MANY, token=False),
    },
)
SMALL_BODIES: Axis[Body] = Axis(
    "bodies under the limit",
    {
        "0.9 MB with a Content-Length": Body(900_000, _NOT_TOO_LARGE - {411}),
        "0.9 MB in chunks": Body(900_000, _NOT_TOO_LARGE, chunked=True),
    },
)
WITH_BODY = plain("endpoints with a body", ("login", "ask"))

RATE_LIMIT_SECONDS = 1
CLIENT_ERRORS: Axis[Sequence[Step]] = Axis(
    "client errors",
    {
        **{str(status): [Status(status)] for status in (400, 401, 403, 404, 422)},
        "429": [RateLimited(RATE_LIMIT_SECONDS), Answer()],
    },
)
"""What the calls of a request meet; a rate limit is over when its time has passed."""
LEFT_ALONE: Axis[Step] = Axis(
    "answers that callers do not wait for",
    {"slow": Answer(delay=THINKS_SECONDS), "dripping": Drip(DRIP_SECONDS, total=THINKS_SECONDS)},
)
OTHERS_DOWN = plain("other upstreams that refuse connections", ("qdrant",))
_PROBES = "ends of a probe"
FIRST_PROBES = plain(_PROBES, ("failed",))
SECOND_PROBES = plain(_PROBES, ("answered",))
MIDDLE_PROBES = plain(_PROBES, ("answered from the cache", "refused as a client error"))
LIMITED_PROBES = plain(_PROBES, ("rate limited",))
LAST_PROBES = plain(_PROBES, ("left by its caller",))
RUBBISH_PROBES = plain(_PROBES, ("answered with rubbish",))
PROBES = plain(
    _PROBES,
    [
        name
        for axis in (
            FIRST_PROBES,
            SECOND_PROBES,
            MIDDLE_PROBES,
            LIMITED_PROBES,
            LAST_PROBES,
            RUBBISH_PROBES,
        )
        for name in axis.values
    ],
)

AXES: Axes = {
    "deadline": (HANGS, LATE_FAILURES),
    "unreachable": (plain(KINDS, ("unreachable", "refused")),),
    "body_limit": (WITH_BODY, LARGE_BODIES, SMALL_BODIES),
    "breaker_opens": (OUTAGES,),
    "breaker_closes": (PROBES,),
    "client_errors_spare_breaker": (CLIENT_ERRORS, LEFT_ALONE, OTHERS_DOWN),
    "drip_is_cut": (DRIPS,),
    "others_are_served": (BYSTANDERS,),
}
