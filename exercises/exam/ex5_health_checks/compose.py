"""Reads from compose files whether the service `api` has a health check."""

from typing import Any

from lab import compose_file


def has_health_check(text: str) -> bool | None:
    """Whether the service `api` of a compose file is checked; None where there is no such service.

    A service whose name has `api` in it counts if none is named so. Raises ValueError for what is no YAML.
    """
    content = compose_file.load(text)
    services = content.get("services") if isinstance(content, dict) else None
    if not isinstance(services, dict):
        return None
    named = [service for name, service in services.items() if name == "api"]
    like_it = [service for name, service in services.items() if "api" in str(name).lower()]
    found = [service for service in named or like_it if isinstance(service, dict)]
    return any(_checks(service.get("healthcheck")) for service in found) if found else None


def _checks(health_check: Any) -> bool:
    if not isinstance(health_check, dict) or health_check.get("disable") is True:
        return False
    test = health_check.get("test")
    words = [test] if isinstance(test, str) else test if isinstance(test, list) else []
    command = " ".join(map(str, words)).removeprefix("CMD-SHELL").removeprefix("CMD").strip()
    return command not in {"", "NONE"}
