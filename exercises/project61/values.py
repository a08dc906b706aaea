"""Reads parts of YAML and JSON documents that may be of any type."""

from collections.abc import Mapping
from typing import Any

Object = Mapping[str, Any]


def table(value: Any) -> Object:
    """Return a mapping as it is, and an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def listed(value: Any) -> list[Any]:
    """Return a list as it is, and an empty one for anything else."""
    return value if isinstance(value, list) else []
