"""Reading request bodies as Toxiproxy's JSON decoder does.

Keys are matched without regard to case, unknown ones are ignored, `null` stands for "not given", and what follows
the first JSON value is not looked at. A value of another type is refused, never converted.
"""

import json
from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any, Final, Never, TypeVar

from chaos.toxiproxy_server import errors
from chaos.toxiproxy_server.effect import Effect

INT64: Final = range(-(2**63), 2**63)
E_ = TypeVar("E_", bound=Effect)


class Fields:
    """A JSON object's members, by name and type. Every method raises ApiError on a value of another type."""

    def __init__(self, value: object) -> None:
        if value is None:
            value = {}
        if not isinstance(value, dict):
            raise errors.bad_body(f"an object was expected, not {kind(value)}")
        self._members = {name.lower(): member for name, member in value.items() if member is not None}

    @classmethod
    def parse(cls, body: bytes) -> "Fields":
        """The object in a request's body."""
        return cls(decode(body))

    def text(self, name: str, default: str) -> str:
        value = self._members.get(name, default)
        if not isinstance(value, str):
            raise self._refuse(name, value, "a string")
        return value.encode(errors="replace").decode()  # JSON can spell half a surrogate pair

    def flag(self, name: str, *, default: bool) -> bool:
        value = self._members.get(name, default)
        if not isinstance(value, bool):
            raise self._refuse(name, value, "true or false")
        return value

    def number(self, name: str, default: float) -> float:
        value = self._members.get(name, default)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self._refuse(name, value, "a number")
        return value

    def integer(self, name: str, default: int) -> int:
        value = self._members.get(name, default)
        if isinstance(value, bool) or not isinstance(value, int) or value not in INT64:
            raise self._refuse(name, value, "a whole number")
        return value

    def members(self, name: str) -> "Fields":
        """An object inside; empty where there is none."""
        return Fields(self._members.get(name))

    @staticmethod
    def _refuse(name: str, value: object, expected: str) -> errors.ApiError:
        return errors.bad_body(f"{name} must be {expected}, not {kind(value)}")


def objects(body: bytes) -> Sequence[Fields]:
    """The objects of the list in a request's body."""
    value = decode(body)
    if value is None:
        return []
    if not isinstance(value, list):
        raise errors.bad_body(f"a list was expected, not {kind(value)}")
    return [Fields(item) for item in value]


def merge(effect: E_, attributes: Fields) -> E_:
    """The effect with the attributes that are given; raises ApiError where they make no sense together."""
    merged = replace(
        effect, **{f.name: attributes.integer(f.name, getattr(effect, f.name)) for f in fields(effect)}
    )
    try:
        merged.check()
    except ValueError as exc:
        raise errors.invalid_attributes(str(exc)) from exc
    return merged


def decode(body: bytes) -> Any:
    """The first JSON value of a body."""
    try:
        value, _ = _DECODER.raw_decode(body.decode(errors="replace").lstrip(" \t\r\n"))
    except (ValueError, RecursionError) as exc:
        raise errors.bad_body(str(exc)) from exc
    return value


def kind(value: object) -> str:
    return {dict: "an object", list: "a list", str: "a string", bool: "a truth value"}.get(
        type(value), str(value)
    )


def _no_constant(name: str) -> Never:
    raise ValueError(f"{name} is no JSON")


_DECODER: Final = json.JSONDecoder(parse_constant=_no_constant)
