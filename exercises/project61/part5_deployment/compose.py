"""Reads compose files: which of the project's services are there, and whether their health is asked."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from exercises.project61.part5_deployment.image import expand
from exercises.project61.part5_deployment.values import table
from lab import compose_file

NAMES = ("docker-compose.yml", "docker-compose.yaml", "compose.yml", "compose.yaml")

SERVICES: Mapping[str, tuple[str, ...]] = {
    "backend": ("litellm", "vllm", "llama", "ollama", "localai", "tgi"),
    "Redis": ("redis", "valkey"),
    "PostgreSQL": ("postgres", "pgvector", "timescale"),
    "Prometheus": ("prometheus",),
    "Grafana": ("grafana",),
}
"""What each of the services beside the API is called, in its name or its image."""

_BACKENDS = re.compile(r"mock|stub|fake|llm|model|openai|inference|upstream|backend")
"""What a backend may be called that is none of these programs; one's own API may be called so as well."""
_API_NAMES = frozenset({"api", "app", "gateway", "web", "server"})
_API_WORD = re.compile(r"(?:^|[-_])(?:api|gateway)(?:$|[-_\d])")
_TOOLS = re.compile(r"exporter|insight|commander|admin|migrat|init|backup|alertmanager")
"""What runs beside a database, and is none."""


def services(text: str) -> dict[str, dict[str, Any]]:
    """Return the services of a compose file. Raises ValueError where it is none."""
    content = compose_file.load(text)
    found = content.get("services") if isinstance(content, dict) else None
    if not isinstance(found, dict):
        raise ValueError("it has no services")  # noqa: TRY004 - what the file holds is its author's mistake
    return {str(name): one for name, one in found.items() if isinstance(one, dict)}


def kinds(found: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Return which service is which part of the project, as far as there is one."""
    known: dict[str, str] = {}
    for part, words in SERVICES.items():
        if name := next((one for one in _named(found, words) if one not in known.values()), None):
            known[part] = name
    others = [name for name in found if name not in known.values() and not _TOOLS.search(name.lower())]
    api = max(others, key=lambda name: _likeness(name, found[name]), default="")
    if api and _likeness(api, found[api]) > (0, 0):
        known["API"] = api
    backends = (name for name in others if name != known.get("API") and _BACKENDS.search(name.lower()))
    if "backend" not in known and (name := next(backends, "")):
        known["backend"] = name
    return known


def _likeness(name: str, service: Mapping[str, Any]) -> tuple[int, int]:
    """Return how much a service looks like the API: by its name, and by being built; what mocks a backend does so less."""
    lower = name.lower()
    called = 2 if lower in _API_NAMES else 1 if _API_WORD.search(lower) else 0
    mocks = _BACKENDS.search(lower) and lower != "backend" and not called
    return called, 0 if "build" not in service else 1 if mocks else 2


def _named(found: Mapping[str, Mapping[str, Any]], words: tuple[str, ...]) -> Iterator[str]:
    """Yield the services that have one of the words in their names, the shortest first, then those with one in their images."""
    candidates = [name for name in found if not _TOOLS.search(name.lower())]
    for name in sorted(candidates, key=len):
        if any(word in name.lower() for word in words):
            yield name
    for name in candidates:
        image = str(found[name].get("image") or "").lower()
        if any(word in image for word in words) and not _TOOLS.search(image):
            yield name


def build_arguments(service: Mapping[str, Any]) -> dict[str, str]:
    """Return the arguments with which a service's image is built."""
    given = table(service.get("build")).get("args")
    if isinstance(given, list):
        pairs = (str(one).partition("=") for one in given)
        return {name: expand(value) for name, sign, value in pairs if sign}
    return {str(name): expand(str(value)) for name, value in table(given).items() if value is not None}


def has_health_check(service: Mapping[str, Any]) -> bool:
    """Whether a service's own entry has its health asked."""
    check = service.get("healthcheck")
    if not isinstance(check, dict) or str(check.get("disable")).lower() == "true":
        return False
    test = check.get("test")
    words = [str(word) for word in test] if isinstance(test, list) else [str(test or "")]
    asked = " ".join(word for word in words if word not in {"CMD", "CMD-SHELL"}).strip()
    return bool(asked) and asked.upper() != "NONE" and asked not in {"true", "exit 0", ":"}
