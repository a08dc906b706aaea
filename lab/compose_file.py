"""Loads compose files and other YAML of submissions: plain data, within bounds that a hostile file cannot exceed."""

from collections.abc import Callable
from typing import Any, Final

import yaml

MAX_LENGTH: Final = 128 * 1024
"""Characters; compose files have a few thousand, and the loader takes seconds for a hundred thousand."""
_MERGE: Final = "<<"
MAX_NODES: Final = 20_000
"""Values, with those of an anchor counted again for each of its aliases: nested aliases grow exponentially."""


def load(text: str) -> Any:
    """Return the content of a compose file. Raises ValueError if it is not YAML, or too much of it.

    Compose's own tags (`!reset`, `!override`) are dropped, and the values that they are put on are kept.
    """
    return _loaded(text, lambda: yaml.load(text, _Loader))  # noqa: S506 - a SafeLoader


def load_all(text: str) -> list[Any]:
    """Return the documents of a YAML file, within the same bounds and with the same errors."""
    return list(_loaded(text, lambda: list(yaml.load_all(text, _Loader))))


def repeated_key(text: str) -> str:
    """Return the first key that a mapping in a YAML text has twice, with its line; an empty string for none.

    Docker Compose, kubectl and GitHub refuse such a text, whose first value PyYAML drops without a word.
    """
    return str(_loaded(text, lambda: _repeated_key(_Loader(text))))


def _repeated_key(loader: "_Loader") -> str:
    while not loader.repeated and loader.check_node():
        loader.get_node()
    return loader.repeated


def _loaded(text: str, read: Callable[[], Any]) -> Any:
    if len(text) > MAX_LENGTH:
        raise ValueError(f"more than {MAX_LENGTH >> 10} kB")
    try:
        return read()
    except (yaml.YAMLError, RecursionError) as error:
        raise ValueError(f"not YAML: {error}") from error
    except (ArithmeticError, AttributeError, LookupError, TypeError) as error:
        # PyYAML's constructors of `!!int ""`, `!!bool x` or `!!timestamp x` fail so.
        raise ValueError("a value does not fit its tag") from error


class _Loader(yaml.SafeLoader):
    """Counts the nodes that aliases stand for, and takes unknown tags for what they are put on."""

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._nodes = 0
        self._sizes: dict[yaml.Node, int] = {}
        self.repeated = ""
        """The first key that a mapping has twice, with its line."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        is_alias = self.check_event(yaml.AliasEvent)
        before = self._nodes
        self._count(1)
        node = super().compose_node(parent, index)
        if node is None:
            return None
        if not is_alias:
            self._sizes[node] = self._nodes - before
        elif node in self._sizes:
            self._count(self._sizes[node])
        else:
            raise ValueError("an anchor contains itself")
        return node

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node = super().compose_mapping_node(anchor)
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.value == _MERGE:
                continue
            if key.value in seen:
                self.repeated = self.repeated or f"{key.value} (line {key.start_mark.line + 1})"
            seen.add(key.value)
        return node

    def _count(self, nodes: int) -> None:
        self._nodes += nodes
        if self._nodes > MAX_NODES:
            raise ValueError(f"more than {MAX_NODES} values")


def _untagged(loader: _Loader, _tag: str, node: yaml.Node) -> Any:
    match node:
        case yaml.MappingNode():
            return loader.construct_mapping(node, deep=True)
        case yaml.SequenceNode():
            return loader.construct_sequence(node, deep=True)
        case yaml.ScalarNode():
            return loader.construct_scalar(node)
        case _:
            return None


_Loader.add_multi_constructor("!", _untagged)
