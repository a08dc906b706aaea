"""Reads from compose files whether the service `api` has a health check, as compose would put them together."""

import posixpath
import re
from typing import Any

from exercises.exam.ex5_health_checks.dockerfile import health_check
from lab import compose_project
from lab.compose_project import Files, beside
from lab.health_command import asks_nobody

NO_SERVICE = "no service 'api'"
NONE = "none"
DISABLED = "it is disabled"
ASKS_NOBODY = "its command asks nobody: {}"
NO_KIND = "its test begins with neither CMD nor CMD-SHELL"

_COMPOSE = re.compile(r"(.*/)?(docker-)?compose[^/]*\.ya?ml", re.IGNORECASE)


def projects(files: Files) -> list[str]:
    """Return the compose files that stand for themselves, the one that compose takes by itself first."""
    default = next((name for name in compose_project.NAMES if name in files), None)
    others = [
        path
        for path in files
        if _COMPOSE.fullmatch(path)
        and path != default
        and not (default and "/" not in path and compose_project.is_override(path))
    ]
    return [default, *others] if default else others


def missing(path: str, files: Files) -> str | None:
    """Return what is missing from the health check of the service `api` in a compose file; None if nothing is.

    A service whose name has `api` in it counts if none is named so. Raises ValueError for what is no YAML.
    """
    services = compose_project.services(path, files)
    named = [name for name in services if name == "api"] or [
        name for name in services if "api" in name.lower()
    ]
    if not named:
        return NO_SERVICE
    problems = [_problem(services[name], path, files) for name in named]
    return None if None in problems else problems[0]


def has_health_check(text: str) -> bool | None:
    """Whether the service `api` of a compose file alone has a health check; None where there is no such service."""
    problem = missing("compose.yaml", {"compose.yaml": text})
    return None if problem == NO_SERVICE else problem is None


def _problem(service: dict[str, Any], path: str, files: Files) -> str | None:
    check = service.get("healthcheck")
    check = check if isinstance(check, dict) else {}
    if str(check.get("disable")).lower() == "true":
        return DISABLED
    test = check.get("test")
    if not test:
        command = health_check(_dockerfile(service.get("build"), path, files))
        return NONE if command is None else _idle(command)
    words = [str(word) for word in test] if isinstance(test, list) else ["CMD-SHELL", str(test)]
    kind, command = words[0].upper(), " ".join(words[1:]).strip()
    if kind == "NONE" or command == "NONE":
        return DISABLED
    if kind not in {"CMD", "CMD-SHELL"}:
        return NO_KIND
    return _idle(command)


def _idle(command: str) -> str | None:
    """Return a problem if a command is healthy whatever the service does."""
    if not command:
        return NONE
    return ASKS_NOBODY.format(command[:80]) if asks_nobody(command) else None


def _dockerfile(build: Any, path: str, files: Files) -> tuple[str, str | None]:
    """Return the text of the Dockerfile that a service is built from, and the stage that is its target."""
    table = build if isinstance(build, dict) else {"context": build} if isinstance(build, str) else {}
    if not table:
        return "", None
    if isinstance(inline := table.get("dockerfile_inline"), str):
        return inline, None
    context = beside(path, str(table.get("context") or "."))
    name = posixpath.normpath(posixpath.join(context, str(table.get("dockerfile") or "Dockerfile")))
    target = table.get("target")
    return files.get(name, ""), str(target) if target else None
