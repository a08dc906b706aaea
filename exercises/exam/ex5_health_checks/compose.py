"""Reads from compose files whether the service `api` has a health check."""

from typing import Any

import yaml


class _Loader(yaml.SafeLoader):
    """Knows compose's own tags (`!reset`, `!override`) for what they are: nothing that matters here."""


_Loader.add_multi_constructor("!", lambda loader, _suffix, node: _plain(loader, node))


def has_health_check(text: str) -> bool | None:
    """Whether the service `api` of a compose file is checked; None where there is no such service.

    A service whose name has `api` in it counts if none is named so. Raises ValueError for what is no YAML.
    """
    try:
        content = yaml.load(text, _Loader)  # noqa: S506 - a SafeLoader with two harmless tags more
    except (yaml.YAMLError, RecursionError) as error:
        raise ValueError("not YAML") from error
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


def _plain(loader: yaml.SafeLoader, node: yaml.Node) -> Any:
    match node:
        case yaml.MappingNode():
            return loader.construct_mapping(node, deep=True)
        case yaml.SequenceNode():
            return loader.construct_sequence(node, deep=True)
        case yaml.ScalarNode():
            return loader.construct_scalar(node)
        case _:
            return None
