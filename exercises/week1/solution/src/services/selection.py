"""The choice of a model by who asks for what."""

from src.models.requests import SelectionRequest
from src.models.responses import Profile, Selection

MODELS: dict[Profile, str] = {
    "quality": "gpt-4o",
    "balanced": "gpt-4o",
    "fast": "gpt-4o-mini",
    "cheap": "gpt-4o-mini",
}
FAST_BELOW_MS = 1000


def select(request: SelectionRequest) -> Selection:
    """Return the model for a request. The first rule that holds decides."""
    profile, reason = _profile(request)
    return Selection(model=MODELS[profile], profile=profile, reason=reason)


def _profile(request: SelectionRequest) -> tuple[Profile, str]:
    if request.tier == "enterprise":
        return "quality", "The tier is enterprise."
    if request.task_complexity == "simple":
        return "cheap", "The task is simple."
    if request.latency_budget_ms < FAST_BELOW_MS:
        return "fast", f"The latency budget is under {FAST_BELOW_MS} ms."
    return "balanced", "No other rule holds."
