"""Reads from compose files whether the service `api` has a health check, as compose would put them together."""

import posixpath
import re
from collections.abc import Iterator, Mapping
from typing import Any

from exercises.exam.ex5_health_checks.dockerfile import health_check
from lab import compose_file

NO_SERVICE = "no service 'api'"
NONE = "none"
DISABLED = "it is disabled"
ASKS_NOBODY = "its command asks nobody: {}"
NO_KIND = "its test begins with neither CMD nor CMD-SHELL"

_DEFAULTS = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")
"""The names of a project's file; the first that there is counts, with its override."""
_COMPOSE = re.compile(r"(.*/)?(docker-)?compose[^/]*\.ya?ml", re.IGNORECASE)
_OVERRIDE = re.compile(r"(docker-)?compose\.override\.ya?ml")
_IDLE = re.compile(
    r"(/(usr/)?s?bin/)?(true|:|exit( 0)?|echo\b.*|sleep\b.*|ls\b.*|pwd|date|hostname|test\b.*|\[ .*\]"
    r"|(pgrep|pidof|ps|kill|cat|stat|which)\b[^;&]*)",
    re.IGNORECASE,
)
"""What asks the service nothing: it succeeds as long as the container runs, and whatever the process does."""
_CLIENT = re.compile(
    r"curl|wget|http|/dev/tcp|\bnc\b|ncat|netcat|socat|python|node|fetch|grpc", re.IGNORECASE
)
"""What in such a command may ask after all, as in `test "$(curl ...)" = 200`."""
_OR_FAIL = re.compile(r"\s*\|\|\s*exit 1$")
_FORGIVEN = re.compile(r"(\|\|?|;)\s*(true|:|exit 0|echo\b[^|;&]*)\s*$", re.IGNORECASE)
_MOST_EXTENDS = 5
_MOST_CHARACTERS = 1_000

Files = Mapping[str, str]
"""The recorded files of the submission, by their paths."""


def projects(files: Files) -> list[str]:
    """Return the compose files that stand for themselves, the one that compose takes by itself first."""
    default = next((name for name in _DEFAULTS if name in files), None)
    others = [
        path
        for path in files
        if _COMPOSE.fullmatch(path) and path != default and not (default and _OVERRIDE.fullmatch(path))
    ]
    return [default, *others] if default else others


def missing(path: str, files: Files) -> str | None:
    """Return what is missing from the health check of the service `api` in a compose file; None if nothing is.

    A service whose name has `api` in it counts if none is named so. Raises ValueError for what is no YAML.
    """
    services = _services(path, files)
    named = [name for name in services if name == "api"] or [
        name for name in services if "api" in name.lower()
    ]
    if not named:
        return NO_SERVICE
    problems = [_problem(_merged(services[name], services, path, files), path, files) for name in named]
    return None if None in problems else problems[0]


def has_health_check(text: str) -> bool | None:
    """Whether the service `api` of a compose file alone has a health check; None where there is no such service."""
    problem = missing("compose.yaml", {"compose.yaml": text})
    return None if problem == NO_SERVICE else problem is None


def _services(path: str, files: Files) -> dict[str, dict[str, Any]]:
    """Return the services of a compose file, with those that it includes and with what its override changes."""
    content = compose_file.load(files[path])
    found: dict[str, dict[str, Any]] = {}
    for included in _included(content, path):
        if included in files and included != path:
            found |= _own_services(compose_file.load(files[included]))
    found |= _own_services(content)
    if path in _DEFAULTS:
        for override in filter(_OVERRIDE.fullmatch, files):
            for name, service in _own_services(compose_file.load(files[override])).items():
                found[name] = _over(found.get(name, {}), service)
    return found


def _own_services(content: Any) -> dict[str, dict[str, Any]]:
    services = content.get("services") if isinstance(content, dict) else None
    if not isinstance(services, dict):
        return {}
    return {str(name): service for name, service in services.items() if isinstance(service, dict)}


def _included(content: Any, path: str) -> Iterator[str]:
    listed = content.get("include") if isinstance(content, dict) else None
    for one in listed if isinstance(listed, list) else []:
        paths = one.get("path") if isinstance(one, dict) else one
        for name in paths if isinstance(paths, list) else [paths]:
            yield _beside(path, str(name))


def _merged(
    service: dict[str, Any], services: dict[str, dict[str, Any]], path: str, files: Files, depth: int = 0
) -> dict[str, Any]:
    """Return a service over what it extends."""
    extends = service.get("extends")
    if depth >= _MOST_EXTENDS or not isinstance(extends, dict | str):
        return service
    where = extends if isinstance(extends, dict) else {"service": extends}
    source = _beside(path, str(where["file"])) if where.get("file") else path
    others = services if source == path else _own_services(compose_file.load(files.get(source, "")))
    base = others.get(str(where.get("service")))
    return _over(_merged(base, others, source, files, depth + 1), service) if base else service


def _over(base: dict[str, Any], service: dict[str, Any]) -> dict[str, Any]:
    checks = [one["healthcheck"] for one in (base, service) if isinstance(one.get("healthcheck"), dict)]
    merged: dict[str, Any] = {}
    for check in checks:
        merged |= check
    return {**base, **service, **({"healthcheck": merged} if checks else {})}


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
    command = command[:_MOST_CHARACTERS]
    if not command:
        return NONE
    plain = re.sub(r"^(/bin/)?(ba|da|a)?sh -l?c ", "", command).strip().strip("'\"").strip()
    plain = _OR_FAIL.sub("", plain)
    idle = (_IDLE.fullmatch(plain) and not _CLIENT.search(plain)) or _FORGIVEN.search(plain)
    return ASKS_NOBODY.format(command[:80]) if idle else None


def _dockerfile(build: Any, path: str, files: Files) -> tuple[str, str | None]:
    """Return the text of the Dockerfile that a service is built from, and the stage that is its target."""
    table = build if isinstance(build, dict) else {"context": build} if isinstance(build, str) else {}
    if not table:
        return "", None
    if isinstance(inline := table.get("dockerfile_inline"), str):
        return inline, None
    context = _beside(path, str(table.get("context") or "."))
    name = posixpath.normpath(posixpath.join(context, str(table.get("dockerfile") or "Dockerfile")))
    target = table.get("target")
    return files.get(name, ""), str(target) if target else None


def _beside(path: str, name: str) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(path), name))
