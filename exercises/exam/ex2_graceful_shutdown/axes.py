"""The axes of what exercise 2 promises: what is under way at SIGTERM, what is asked after it, and what is broken."""

from lab.axes import Axes, Axis, plain

LENGTHS = Axis("lengths of requests in flight", {"1 s": 1.0, "6 s": 6.0, "13 s": 13.0})
"""How long after SIGTERM the model answers, in seconds."""

AT_ONCE = {"1 s": 3, "6 s": 1, "13 s": 1}
"""How many requests of each length are in flight, beside one of the middle length on a connection that is kept."""

BODIES = Axis("bodies in the middle of which SIGTERM comes", {"a prompt": 6.0, "a login": 1.0})
"""How long after SIGTERM the rest of the body comes, in seconds."""

ATTEMPTS = plain("attempts that are due at SIGTERM", ("the first", "another one"))

LEFT = plain("callers who left before", ("in the middle of a body", "while the model was asked"))

MOMENTS = Axis("moments after SIGTERM", {"early": 1.2, "midway": 6.5, "late": 11.5})
"""When more is asked, in seconds after SIGTERM."""

CONNECTIONS = plain("kinds of connection", ("new", "idle", "unused", "just served"))

WORK = plain("kinds of new work", ("a prompt", "a login", "the models", "who one is", "emptying the cache"))

HANGING = plain(
    "things that hang",
    (
        "a silent model",
        "a dripping model",
        "half a prompt",
        "a trickling prompt",
        "half a login",
        "half a head",
        "a silent connection",
        "the cache's numbers",
    ),
)

UPSTREAMS = plain(
    "states of the upstreams",
    (
        *("all up", "Qdrant hanging"),
        *("MLflow refusing connections", "MLflow hanging", "MLflow dripping", "MLflow slow"),
    ),
)

SITUATIONS = plain(
    "situations at SIGTERM",
    ("requests in flight", "nothing under way", "something hangs", "MLflow is broken"),
)

# Parts of these, for the criteria that are about no more.
TRACED = plain(UPSTREAMS.name, [state for state in UPSTREAMS.values if state != "MLflow dripping"])
BROKEN = plain(UPSTREAMS.name, [state for state in UPSTREAMS.values if state != "all up"])
UNDER_WAY_OR_NOT = plain(SITUATIONS.name, ("requests in flight", "nothing under way"))
TOLD = plain(SITUATIONS.name, (*UNDER_WAY_OR_NOT.values, "something hangs"))

AXES: Axes = {
    "real_answers": (LENGTHS, BODIES, ATTEMPTS),
    "exit_is_bounded": (HANGING, BROKEN),
    "no_new_work": (MOMENTS, CONNECTIONS, WORK),
    "leaves_promptly": (UNDER_WAY_OR_NOT, LEFT),
    "exits_cleanly": (SITUATIONS,),
    "loses_nothing": (TRACED, SITUATIONS),
    "says_so": (TOLD,),
    "closes_connections": (SITUATIONS,),
}
