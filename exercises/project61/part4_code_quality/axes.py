"""Where the promises of part 4 are tried: each failure that passes, each refusal, each failure of PostgreSQL."""

from chaos.llm import Reset, Status, Step
from lab.axes import Axes, Axis, plain

PASSING: Axis[Step] = Axis(
    "failures that pass",
    {
        "429": Status(429),
        "500": Status(500),
        "502": Status(502),
        "503": Status(503),
        "broken connection": Reset(),
    },
)
REFUSALS: Axis[int] = Axis("refusals", {str(code): code for code in (400, 401, 403, 404)})
OUTAGES = plain("failures of PostgreSQL", ("down", "silent"))

AXES: Axes = {
    "failures_are_retried": (PASSING, REFUSALS),
    "database_down_costs_nothing": (OUTAGES,),
}
