"""The checks of exercise 4. Each judges recorded histories alone; its parameters name the experiments."""

from exercises.exam.ex4_errors_and_retry.contexts import errors_have_context
from exercises.exam.ex4_errors_and_retry.internals import errors_hide_internals
from exercises.exam.ex4_errors_and_retry.pacing import backs_off, retry_after_is_honoured
from exercises.exam.ex4_errors_and_retry.recovery import client_errors_are_final, transient_recovers
from exercises.exam.ex4_errors_and_retry.statuses import failures_are_told_apart
from exercises.exam.ex4_errors_and_retry.tracing import mlflow_down_costs_nothing

__all__ = [
    "backs_off",
    "client_errors_are_final",
    "errors_have_context",
    "errors_hide_internals",
    "failures_are_told_apart",
    "mlflow_down_costs_nothing",
    "retry_after_is_honoured",
    "transient_recovers",
]
