"""Where the promises of part 7 are tried: whole answers and streams, requests by the rules that they meet, users by budget."""

from dataclasses import dataclass
from typing import Literal

from exercises.project61.part7_bonus.plan import EVEN, UNEVEN
from exercises.project61.part7_bonus.questions import QUESTIONS
from lab.axes import Axes, Axis, plain

WHOLE, STREAMED = "whole", "streamed"
KINDS = plain("kinds of answers", (WHOLE, STREAMED))


@dataclass(frozen=True, slots=True)
class Case:
    """A request by a user of a role, and the position of the rule that it meets first; None if it meets none.

    Its `task` is that of the rules or another one, and its latency budget is that of a rule times `budget`.
    """

    role: str
    task: Literal["named", "another"] | None = None
    budget: float | None = None
    rule: int | None = None


CASES = Axis(
    "requests by the rules that they meet",
    {
        "a tier and its task": Case("free", task="named", rule=0),
        "another tier": Case("premium", task="named", rule=1),
        "a short latency budget": Case("enterprise", budget=0.5, rule=2),
        "two rules": Case("premium", task="named", budget=0.5, rule=1),
        "another task": Case("free", task="another"),
        "a long latency budget": Case("enterprise", budget=4),
        "no rule": Case("free"),
    },
)
ROLES = plain("budgets", ("free", "premium", "enterprise"))
"""The budget of one's tier, one's own, and none, by the roles of their users."""
SPLITS = plain("pairs of weights", (EVEN, UNEVEN))

PARAPHRASE, OPPOSITE, ANOTHER_USER = "a paraphrase", "an opposite", "another user"
ANOTHER_MODEL, TEMPERATURE, EXPIRED = "another model", "a temperature of 1", "the time to live"
ANOTHER_SYSTEM_MESSAGE = "another system message"
STREAM, TOOLS, FORMAT = "a stream", "a tool", "another response format"
SIMILAR = plain(
    "similar requests",
    (
        PARAPHRASE,
        OPPOSITE,
        ANOTHER_USER,
        ANOTHER_MODEL,
        ANOTHER_SYSTEM_MESSAGE,
        TEMPERATURE,
        STREAM,
        TOOLS,
        FORMAT,
        EXPIRED,
    ),
)

AXES: Axes = {
    "similar_questions_are_cached": (QUESTIONS, SIMILAR),
    "rules_choose_models": (CASES, KINDS),
    "usage_is_analysed": (KINDS,),
    "budgets_stop_users": (ROLES, KINDS),
    "variants_are_compared": (SPLITS, KINDS),
}
