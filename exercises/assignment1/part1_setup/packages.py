"""Compares the packages that code imports with those that pyproject.toml declares."""

import re
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Self

_NAME = re.compile(r"^[A-Za-z0-9][\w.-]*")

KNOWN_AS = {
    "_pytest": "pytest",
    "agents": "openai-agents",
    "attr": "attrs",
    "bs4": "beautifulsoup4",
    "Crypto": "pycryptodome",
    "fitz": "pymupdf",
    "haystack": "haystack-ai",
    "PIL": "pillow",
    "pkg_resources": "setuptools",
    "sklearn": "scikit-learn",
    "websocket": "websocket-client",
}
"""Packages that are imported under another name than they are installed under."""
_BEFORE = ("python", "py", "django")
_AFTER = ("python", "py", "binary", "slim")
"""What the name of a package has before or after that of its module: python-decouple, pyjwt, throttled-py."""


NAMESPACES = {"azure", "google", "llama_index", "opentelemetry", "ruamel"}
"""Names that many packages share."""


class PyprojectError(ValueError):
    """A pyproject.toml that declares nothing; the message says why."""


@dataclass(frozen=True, slots=True)
class Declared:
    """The normalised names of the packages that a pyproject.toml declares: for the service, and for all of the repository."""

    service: set[str]
    everything: set[str]

    @classmethod
    def read(cls, text: str) -> Self:
        """Read a pyproject.toml. Raises PyprojectError."""
        try:
            data = tomllib.loads(text)
        except (tomllib.TOMLDecodeError, RecursionError) as error:
            raise PyprojectError(f"it is not valid TOML ({error})") from None
        service = _names(_for_service(data))
        return cls(service, service | _names(_for_development(data)))


def _names(entries: Iterable[str]) -> set[str]:
    return {normal(found[0]) for entry in entries if (found := _NAME.match(entry.strip()))}


def is_declared(module: str, packages: set[str]) -> bool:
    """Whether one of these packages is what a module is imported from."""
    if module in NAMESPACES:
        return any(package.startswith(f"{normal(module)}-") for package in packages)
    name = _squeezed(KNOWN_AS.get(module, module))
    names = {name, *(f"{part}{name}" for part in _BEFORE), *(f"{name}{part}" for part in _AFTER)}
    return not names.isdisjoint(map(_squeezed, packages))


def _squeezed(name: str) -> str:
    """Return a name as `pythonjsonlogger` and python-json-logger have it alike."""
    return normal(name).replace("-", "")


def normal(name: str) -> str:
    """Return a package's name as PEP 503 compares them."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _for_service(data: dict[str, Any]) -> Iterator[str]:
    project, poetry = data.get("project"), _tool(data, "poetry")
    if isinstance(project, dict):
        yield from _texts(project.get("dependencies"))
    yield from _keys(poetry.get("dependencies"))


def _for_development(data: dict[str, Any]) -> Iterator[str]:
    """Yield what groups and extras declare."""
    project, uv, poetry = data.get("project"), _tool(data, "uv"), _tool(data, "poetry")
    extras = project.get("optional-dependencies") if isinstance(project, dict) else None
    for group in [*_values(extras), *_values(data.get("dependency-groups"))]:
        yield from _texts(group)
    yield from _texts(uv.get("dev-dependencies"))
    yield from _keys(poetry.get("dev-dependencies"))
    for group in _values(poetry.get("group")):
        yield from _keys(group.get("dependencies") if isinstance(group, dict) else None)


def _tool(data: dict[str, Any], name: str) -> dict[str, Any]:
    tool = data.get("tool")
    table = tool.get(name) if isinstance(tool, dict) else None
    return table if isinstance(table, dict) else {}


def _texts(value: Any) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def _values(value: Any) -> list[Any]:
    return list(value.values()) if isinstance(value, dict) else []


def _keys(value: Any) -> list[str]:
    return list(value) if isinstance(value, dict) else []
