"""Reads from a history whether the traces of requests were kept, and what is missing of one that is not whole.

A trace of a request holds its prompt, its answer, the model and the token counts (`chaos.traces`), in MLflow or in one
file. What holds less, such as a log with the prompts, is no trace.
"""

from chaos.history import TRACE_PARTS, History, Trace
from chaos.traces import is_complete

NONE = "none was found"


def kept(history: History, key: str | None) -> Trace | None:
    """Return the first whole trace of the prompt with this key; None where there is none."""
    return next((one for one in history.of(Trace) if one.key == key and is_complete(one)), None)


def shortfall(history: History, key: str | None) -> str:
    """Say what was found instead of a whole trace: nothing, or one in which something is missing."""
    found = max(
        (one for one in history.of(Trace) if one.key == key), key=lambda one: len(one.holds), default=None
    )
    if found is None:
        return NONE
    missing = [part for part in TRACE_PARTS if part not in found.holds]
    where = "MLflow" if found.place == "mlflow" else found.detail
    return f"what {where} has of it is without {' and '.join(missing)}" if missing else f"it is in {where}"
