"""Along which axes the promises of exercise 5 are tried."""

from exercises.exam.ex5_health_checks.readiness import DEPENDENCIES
from lab.axes import Axes, plain

DOWN = plain("dependencies", DEPENDENCIES)
KINDS = plain("kinds of failure", ("refused", "reset", "answers 500", "answers 503"))
"""How a dependency is down. Each is met in two of them."""
HANGS = plain("ways to hang", ("takes no connection", "takes one and answers nothing"))
STATES = plain(
    "states of the dependencies", ("all up", "one down", "all down", "one hangs", "all hang", "all back")
)
CROWDS = plain("crowds", ("while all are slow", "while all hang"))
COMPOSE_FILES = plain("names of a compose file", ("docker-compose*.y*ml", "compose*.y*ml"))

AXES: Axes = {
    "liveness": (STATES, DOWN),
    "readiness": (DOWN,),
    "outages_show": (DOWN, KINDS),
    "hanging_is_bounded": (DOWN, HANGS),
    "recovery_shows": (DOWN, KINDS),
    "probes_are_few": (DOWN, CROWDS),
    "no_secrets": (STATES, KINDS),
    "compose_has_health_check": (COMPOSE_FILES,),
}
