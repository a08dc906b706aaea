"""The axes of exercise 5: which dependency fails how, who asks meanwhile, and what a health check may look like."""

from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

from chaos.history import Upstream
from chaos.upstreams import Upstreams
from exercises.exam.ex5_health_checks.readiness import DEPENDENCIES
from lab.axes import Axes, Axis, plain

T = TypeVar("T")

Break = Callable[[Upstreams, Upstream], Awaitable[None]]
"""What is done to an upstream to have it fail in one way."""

TOO_LATE_SECONDS = 20.0
CROWD = 100


def _answers(status: int) -> Break:
    return lambda upstreams, upstream: upstreams.status(upstream, status)


BROKEN: Axis[Break] = Axis(
    "kinds of failure",
    {
        "refuses connections": Upstreams.outage,
        "resets connections": Upstreams.reset,
        "hangs up": Upstreams.close,
        "answers 403": _answers(403),
        "answers 404": _answers(404),
        "answers 500": _answers(500),
        "answers 502": _answers(502),
        "answers 503": _answers(503),
        "answers no HTTP": Upstreams.garbage,
    },
)
UNREACHABLE: Axis[Break] = Axis("ways to hang", {"takes no connections": Upstreams.blackhole})
SILENT: Axis[Break] = Axis(
    "ways to hang",
    {
        "never answers": Upstreams.hang,
        "answers too late": lambda upstreams, upstream: upstreams.latency(upstream, TOO_LATE_SECONDS),
    },
)
HANGING: Axis[Break] = Axis("ways to hang", {**UNREACHABLE.values, **SILENT.values})
WHICH = plain("dependencies", DEPENDENCIES)
HOW_MANY = plain("numbers of dependencies that are down", ("one", "two", "three"))
RECOVERIES = plain("ways to recover", ("one by one", "all at once"))
MEANWHILE = plain("circumstances of liveness", ("asked alone", "readiness is asked", f"{CROWD} callers ask"))
PACES = plain("paces of callers", ("again and again", "after a rest"))
STATES = plain("states", ("all up", "one down", "three down"))
HANGING_CROWDS = plain("crowds", [f"{dependency} hangs" for dependency in DEPENDENCIES])
CROWDS = plain("crowds", ("all up", *HANGING_CROWDS.values))


class Otherwise:
    """A way to ask for a report that is not the usual one."""

    def __init__(
        self, query: str = "", headers: Mapping[str, str] | None = None, *, known: bool = False
    ) -> None:
        self.query = query
        self.headers = headers or {}
        self.known = known
        """Whether the caller shows a token."""


ASKING: Axis[Otherwise] = Axis(
    "other ways to ask",
    {
        "a stranger": Otherwise(),
        "verbose": Otherwise("?verbose=true&debug=true&full=1", known=True),
        "a browser": Otherwise(headers={"accept": "text/html,*/*"}, known=True),
    },
)
FORMS = plain(
    "forms of a health check",
    (
        *("a string", "CMD", "CMD-SHELL", "by an anchor", "by extends", "in another compose file"),
        *("HEALTHCHECK in the Dockerfile", "disabled", "NONE", "a command that asks nobody"),
    ),
)

AXES: Axes = {
    "liveness": (WHICH, BROKEN, HANGING, HOW_MANY, MEANWHILE),
    "readiness": (STATES,),
    "outages_show": (WHICH, BROKEN, HOW_MANY, PACES),
    "hanging_is_bounded": (WHICH, HANGING, HANGING_CROWDS),
    "recovery_shows": (WHICH, RECOVERIES),
    "probes_are_few": (CROWDS,),
    "no_secrets": (STATES, ASKING),
    "compose_has_health_check": (FORMS,),
}
