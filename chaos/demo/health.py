"""What a health report says of the service: its dependencies, and its circuit breaker."""

from typing import Any

from pydantic import BaseModel, ValidationError, model_validator


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

    @model_validator(mode="before")
    @classmethod
    def _apart(cls, report: Any) -> Any:
        """Tell the breaker, which stands among the checks, from the dependencies."""
        checks = report.get("checks") if isinstance(report, dict) else None
        if not isinstance(checks, dict) or "circuit_breaker" not in checks:
            return report
        return {
            "checks": {name: one for name, one in checks.items() if name != "circuit_breaker"},
            "circuit_breaker": checks["circuit_breaker"],
        }


def parse(text: str) -> Health:
    """Read a report; an empty one where it has another form."""
    try:
        return Health.model_validate_json(text)
    except ValidationError:
        return Health()
