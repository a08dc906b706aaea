"""The axes of part 3: which requests are counted, how long they take, and who must not become a label."""

from lab.axes import Axes, Axis, plain

ANSWERED, STREAMED, SLOW, HELD = "answered", "streamed", "slow", "a stream held back"
NOBODY, INVALID, FAILING = "without a token", "a body that is no JSON", "a backend that fails"
OUTCOMES = Axis(
    "kinds of requests",
    {ANSWERED: 8, STREAMED: 2, SLOW: 2, HELD: 2, NOBODY: 3, INVALID: 4, FAILING: 2},
)
"""With how many of each are sent."""

LEAST_SECONDS = {SLOW: 1.8, HELD: 1.8}
"""How long requests take at least, because the backend does."""

STRANGERS = Axis("kinds of strangers", {"paths": 300, "users": 60, "models": 100})
"""With how many unknown ones are sent of each."""

CALLERS = plain("kinds of callers", ("token", "API key"))

AXES: Axes = {
    "requests_are_counted": (OUTCOMES,),
    "latency_is_measured": (OUTCOMES,),
    "labels_are_bounded": (STRANGERS,),
    "logs_have_ids": (OUTCOMES, CALLERS),
}
