"""What the services of a compose project name that the project has to have: volumes, networks, secrets, configs, services."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from exercises.project61.values import listed, table

SECTIONS = ("volumes", "networks", "secrets", "configs")
_NAMED_VOLUME = re.compile(r"([A-Za-z0-9][\w.-]*):/")
_ALWAYS_THERE = {("networks", "default")}


def missing(services: Mapping[str, Mapping[str, Any]], has: Mapping[str, set[str]]) -> Iterator[str]:
    """Yield what services name that there is not, such as `volumes data`. `has` are the names in each section.

    Compose starts nothing of such a project. Names in variables are left out.
    """
    for name, service in services.items():
        for section in SECTIONS:
            for one in _named(section, service):
                if one not in has[section] and (section, one) not in _ALWAYS_THERE and "$" not in one:
                    yield f"{name} names {one}, which is not under {section}"
        for one in _dependencies(service):
            if one not in services and "$" not in one:
                yield f"{name} depends on {one}, which is no service"


def _named(section: str, service: Mapping[str, Any]) -> Iterator[str]:
    given = service.get(section)
    if section == "networks" and isinstance(given, dict):
        yield from map(str, given)
    for one in listed(given):
        if isinstance(one, str):
            found = _NAMED_VOLUME.match(one) if section == "volumes" else None
            if section != "volumes" or found:
                yield found[1] if found else one
        elif table(one).get("source") and (section != "volumes" or one.get("type") == "volume"):
            yield str(one["source"])


def _dependencies(service: Mapping[str, Any]) -> Iterator[str]:
    given = service.get("depends_on")
    if isinstance(given, dict):
        yield from (str(name) for name, how in given.items() if table(how).get("required") is not False)
    else:
        yield from (str(name) for name in listed(given))
