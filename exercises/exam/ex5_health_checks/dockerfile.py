"""Reads the HEALTHCHECK of a Dockerfile, which compose takes over where its own file has none."""

import json
import re

_INSTRUCTION = re.compile(r"^\s*(FROM|HEALTHCHECK)\s+(.+)$", re.IGNORECASE)
_FROM = re.compile(r"(?:--\S+\s+)*(?P<image>\S+)(?:\s+AS\s+(?P<name>\S+))?", re.IGNORECASE)
_CHECK = re.compile(r"(?:--\S+\s+)*(?:(?P<none>NONE)\s*|CMD\s+(?P<command>.+))", re.IGNORECASE)


def health_check(dockerfile: tuple[str, str | None]) -> str | None:
    """Return the command of a Dockerfile's health check in its last stage, or in its target; None if it has none."""
    text, target = dockerfile
    stages: dict[str, str | None] = {}
    latest: str | None = None
    name = ""
    for line in re.sub(r"\\[ \t]*\n", " ", text).splitlines():
        instruction = _INSTRUCTION.match(line)
        if instruction is None:
            continue
        if instruction[1].upper() == "FROM":
            if target and name == target.lower():
                return latest
            if begun := _FROM.match(instruction[2]):
                latest = stages.get(begun["image"].lower())
                name = (begun["name"] or "").lower()
        elif check := _CHECK.match(instruction[2].strip()):
            latest = None if check["none"] else _plain(check["command"])
        stages[name] = latest
    return latest


def _plain(command: str) -> str:
    """Return a command as one line, also of the exec form."""
    try:
        words = json.loads(command)
    except ValueError:
        return command.strip()
    return " ".join(map(str, words)) if isinstance(words, list) else command.strip()
