"""Reads the services of a compose project, as compose would put its files together."""

import posixpath
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache, lru_cache
from typing import Any, Final

from lab import compose_file

NAMES: Final = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")
"""The names of a project's file, in the order in which compose looks for them."""

Files = Mapping[str, str]
"""The recorded files of the submission, by their paths."""
Service = dict[str, Any]

_OVERRIDE = re.compile(r"(docker-)?compose\.override\.ya?ml")
_MERGED = frozenset({"build", "healthcheck"})
_MOST_EXTENDS = 5
_MOST_FILES = 50
"""Of a project; the rest of what its files include is not read."""


def is_override(path: str) -> bool:
    """Whether compose adds this file to the one beside it without being asked."""
    return _OVERRIDE.fullmatch(posixpath.basename(path)) is not None


def services(path: str, files: Files, *, is_overridden: bool = True) -> dict[str, Service]:
    """Return the services of a compose file, with what it includes and extends and with what its override changes.

    `is_overridden` may leave out the override, which is often for a developer's machine alone. Raises ValueError if one of these files is not YAML.
    """

    @cache
    def load(name: str) -> dict[str, Service]:
        own = _own_services(_load(name, files))
        return {service: _moved(given, name, path) for service, given in own.items()}

    found: dict[str, Service] = {}
    for name in [*_included(path, files, {path}), path]:
        found |= load(name)
    for override in _overrides(path, files) if is_overridden else ():
        for name, service in load(override).items():
            found[name] = _over(found.get(name, {}), service)
    return {name: _extended(service, found, path, load) for name, service in found.items()}


def section(name: str, path: str, files: Files) -> set[str]:
    """Return the names in a section such as `volumes` of a compose file, of what it includes and of its override.

    Raises ValueError if one of these files is not YAML.
    """
    contents = (
        _load(one, files) for one in [*_included(path, files, {path}), path, *_overrides(path, files)]
    )
    sections = (content.get(name) for content in contents if isinstance(content, dict))
    return {str(key) for one in sections if isinstance(one, dict) for key in one}


def _overrides(path: str, files: Files) -> list[str]:
    """Return the files that compose adds to a file without being asked."""
    if posixpath.basename(path) not in NAMES:
        return []
    beside_it = (name for name in files if posixpath.dirname(name) == posixpath.dirname(path))
    return list(filter(is_override, beside_it))


def _load(path: str, files: Files) -> Any:
    return _loaded(files.get(path, ""))


# A large file takes seconds, and is asked for its services, its sections and what it includes.
@lru_cache(maxsize=_MOST_FILES)
def _loaded(text: str) -> Any:
    return compose_file.load(text)


def _own_services(content: Any) -> dict[str, Service]:
    found = content.get("services") if isinstance(content, dict) else None
    if not isinstance(found, dict):
        return {}
    return {str(name): service for name, service in found.items() if isinstance(service, dict)}


def _moved(service: Service, source: str, path: str) -> Service:
    """Return a service of the file `source` as it would be written in the one at `path`: with its build's context."""
    build = service.get("build")
    table = {"context": build} if isinstance(build, str) else build
    if not isinstance(table, dict) or posixpath.dirname(source) == posixpath.dirname(path):
        return service
    context = str(table.get("context") or ".")
    if context.startswith(("/", "$")) or "://" in context:
        return service
    moved = posixpath.relpath(beside(source, context), posixpath.dirname(path) or ".")
    return {**service, "build": {**table, "context": moved}}


def named_files(path: str, files: Files) -> list[str]:
    """Return the files that a compose file says it includes or extends, and those that these do, as far as they are known.

    Raises ValueError if one of these files is not YAML.
    """
    found = [path]
    for one in found:
        content = _load(one, files)
        extended = (service.get("extends") for service in _own_services(content).values())
        others = [
            beside(one, str(each["file"])) for each in extended if isinstance(each, dict) and each.get("file")
        ]
        new = (name for name in [*_includes(one, content), *others] if name not in found)
        found += list(dict.fromkeys(new))[: max(0, _MOST_FILES - len(found))]
    return found[1:]


def _includes(path: str, content: Any) -> Iterator[str]:
    """Yield the files that a compose file at `path` includes."""
    listed = content.get("include") if isinstance(content, dict) else None
    for one in listed if isinstance(listed, list) else []:
        paths = one.get("path") if isinstance(one, dict) else one
        yield from (beside(path, str(named)) for named in (paths if isinstance(paths, list) else [paths]))


def _included(path: str, files: Files, seen: set[str]) -> Iterator[str]:
    """Yield the files that a compose file includes, those first that they include themselves."""
    for name in _includes(path, _load(path, files)):
        if name in files and name not in seen and len(seen) < _MOST_FILES:
            seen.add(name)
            yield from _included(name, files, seen)
            yield name


def _extended(
    service: Service,
    others: Mapping[str, Service],
    path: str,
    load: Callable[[str], dict[str, Service]],
    depth: int = 0,
) -> Service:
    """Return a service over what it extends."""
    extends = service.get("extends")
    if depth >= _MOST_EXTENDS or not isinstance(extends, dict | str):
        return service
    where = extends if isinstance(extends, dict) else {"service": extends}
    source = beside(path, str(where["file"])) if where.get("file") else path
    known = others if source == path else load(source)
    base = known.get(str(where.get("service")))
    return _over(_extended(base, known, source, load, depth + 1), service) if base else service


def _over(base: Service, service: Service) -> Service:
    """Return a service over what it changes: as compose does it, part by part where both say something of a build or a check."""
    merged = {
        part: {**_parts(base[part]), **_parts(service[part])}
        for part in _MERGED & base.keys() & service.keys()
    }
    return {**base, **service, **merged}


def _parts(given: Any) -> dict[str, Any]:
    """Return the parts of a build or a check; a build may be its context alone."""
    if isinstance(given, str):
        return {"context": given}
    return given if isinstance(given, dict) else {}


def beside(path: str, name: str) -> str:
    """Return the path of what a file names relative to its own folder."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(path), name))
