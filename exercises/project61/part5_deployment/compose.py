"""Reads compose files: which of the project's services are there, and whether their health is asked."""

from collections.abc import Iterator, Mapping
from typing import Any

from lab import compose_file

NAMES = ("docker-compose.yml", "docker-compose.yaml", "compose.yml", "compose.yaml")

SERVICES: Mapping[str, tuple[str, ...]] = {
    "backend": ("litellm", "vllm", "llama", "ollama", "backend", "model", "tgi"),
    "Redis": ("redis", "valkey"),
    "PostgreSQL": ("postgres", "pgvector", "timescale"),
    "Prometheus": ("prometheus",),
    "Grafana": ("grafana",),
}
"""What each of the services beside the API is called, in its name or its image."""


def services(text: str) -> dict[str, dict[str, Any]]:
    """Return the services of a compose file. Raises ValueError where it is none."""
    content = compose_file.load(text)
    found = content.get("services") if isinstance(content, dict) else None
    if not isinstance(found, dict):
        raise ValueError("it has no services")  # noqa: TRY004 - what the file holds is its author's mistake
    return {str(name): one for name, one in found.items() if isinstance(one, dict)}


def kinds(found: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Return which service is which part of the project: the API is the one that is built, and none of the others."""
    known: dict[str, str] = {}
    for part, words in SERVICES.items():
        for name in _named(found, words):
            if name not in known.values():
                known.setdefault(part, name)
    others = [name for name, one in found.items() if name not in known.values() and "build" in one]
    api = [name for name in found if name.lower() in {"api", "app", "gateway", "web", "server"}]
    if candidates := [*api, *others]:
        known["API"] = candidates[0]
    return known


def _named(found: Mapping[str, Mapping[str, Any]], words: tuple[str, ...]) -> Iterator[str]:
    """Yield the services that have one of the words in their names, then those with one in their images."""
    for name in found:
        if any(word in name.lower() for word in words) and "exporter" not in name.lower():
            yield name
    for name, one in found.items():
        image = str(one.get("image") or "").lower()
        if any(word in image for word in words) and "exporter" not in image:
            yield name


def has_health_check(service: Mapping[str, Any]) -> bool:
    """Whether a service's own entry has its health asked."""
    check = service.get("healthcheck")
    if not isinstance(check, dict) or str(check.get("disable")).lower() == "true":
        return False
    test = check.get("test")
    words = [str(word) for word in test] if isinstance(test, list) else [str(test or "")]
    asked = " ".join(word for word in words if word not in {"CMD", "CMD-SHELL"}).strip()
    return bool(asked) and asked.upper() != "NONE" and asked not in {"true", "exit 0", ":"}
