"""What a health report says of the service: its dependencies, and its circuit breaker."""

from pydantic import BaseModel, ValidationError


class Dependency(BaseModel):
    healthy: bool
    error: str | None = None


class Breaker(BaseModel):
    state: str
    retry_after: float = 0.0


class Health(BaseModel):
    """The reference solution's report. What another service leaves out is not known."""

    checks: dict[str, Dependency] = {}
    circuit_breaker: Breaker | None = None


def parse(text: str) -> Health:
    """Read a report; an empty one where it has another form."""
    try:
        return Health.model_validate_json(text)
    except ValidationError:
        return Health()
