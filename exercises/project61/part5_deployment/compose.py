"""Reads compose files: which of the project's services are there, and whether their health is asked."""

import posixpath
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from exercises.project61.part5_deployment.image import expand
from exercises.project61.values import table
from lab import compose_project
from lab.compose_project import Files, beside
from lab.health_command import asks_nobody

NAMES = ("docker-compose.yml", "docker-compose.yaml", "compose.yml", "compose.yaml")

SERVICES: Mapping[str, tuple[str, ...]] = {
    "backend": ("litellm", "vllm", "llama", "ollama", "localai", "text-generation-inference", "sglang"),
    "Redis": ("redis", "valkey", "dragonfly", "keydb"),
    "PostgreSQL": ("postgres", "pgvector", "timescale", "postgis"),
    "Prometheus": ("prometheus",),
    "Grafana": ("grafana", "otel-lgtm"),
}
"""What each of the services beside the API is called, in its name or its image."""

_BACKENDS = re.compile(r"mock|stub|fake|llm|model|openai|inference|upstream|backend|\btgi\b")
"""What a backend may be called that is none of these programs; one's own API may be called so as well."""
_API_NAMES = frozenset({"api", "app", "gateway", "web", "server"})
_API_WORD = re.compile(r"(?:^|[-_])(?:api|gateway)(?:$|[-_\d])")
_TOOLS = re.compile(r"exporter|insight|commander|admin|migrat|init|backup|alertmanager")
"""What runs beside a database, and is none."""
_CHECKED_IMAGES = ("llama.cpp:server",)
"""Published images that have a HEALTHCHECK of their own."""


def main_file(files: Files) -> str | None:
    """Return the path of the project's compose file: in the root, or else the one that lies highest."""
    found = [path for path in files if posixpath.basename(path) in NAMES]
    return min(
        found, key=lambda one: (one.count("/"), NAMES.index(posixpath.basename(one)), one), default=None
    )


def sources(files: Files) -> list[str]:
    """Return the paths of the files that the compose file names, those outside of the repository aside."""
    path = main_file(files)
    with suppress(ValueError):
        named = compose_project.named_files(path, files) if path else []
        return [name for name in named if not name.startswith(("/", "..")) and "://" not in name]
    return []


def services(path: str, files: Files) -> dict[str, dict[str, Any]]:
    """Return the services of a compose project. Raises ValueError where it has none."""
    if found := compose_project.services(path, files):
        return found
    raise ValueError("it has no services")


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
        image = _image_name(found[name])
        if any(word in image for word in words) and not _TOOLS.search(image):
            yield name


def _image_name(service: Mapping[str, Any]) -> str:
    """Return the name of a service's image, without what publishes it: `loki` for `grafana/loki:3`."""
    named = expand(str(service.get("image") or "")).lower()
    return named.partition("@")[0].rpartition("/")[2].partition(":")[0]


def build_arguments(service: Mapping[str, Any]) -> dict[str, str]:
    """Return the arguments with which a service's image is built."""
    given = table(service.get("build")).get("args")
    if isinstance(given, list):
        pairs = (str(one).partition("=") for one in given)
        return {name: expand(value) for name, sign, value in pairs if sign}
    return {str(name): expand(str(value)) for name, value in table(given).items() if value is not None}


def dockerfile(path: str, service: Mapping[str, Any]) -> tuple[str, str]:
    """Return the path of the Dockerfile that a service is built from, and the stage of it; empty for none."""
    build = service.get("build")
    built = {"context": build} if isinstance(build, str) else table(build)
    if not built:
        return "", ""
    context = beside(path, expand(str(built.get("context") or ".")))
    name = expand(str(built.get("dockerfile") or "Dockerfile"))
    return posixpath.normpath(posixpath.join(context, name)), expand(str(built.get("target") or ""))


def has_health_check(service: Mapping[str, Any], built: str) -> bool:
    """Whether something asks a service for its health. `built` is the command that its image brings, if any."""
    check = table(service.get("healthcheck"))
    if str(check.get("disable")).lower() == "true":
        return False
    test = check.get("test")
    words = [str(word) for word in test] if isinstance(test, list) else [str(test or "")]
    asked = " ".join(word for word in words if word not in {"CMD", "CMD-SHELL"}).strip() if test else ""
    if not asked and any(image in str(service.get("image")) for image in _CHECKED_IMAGES):
        return True
    asked = asked or built
    return bool(asked) and asked.upper() != "NONE" and not asks_nobody(asked)
