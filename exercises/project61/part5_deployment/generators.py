"""What kustomizations generate: Secrets and ConfigMaps of literal values, of variables in a file, or of whole files."""

import posixpath
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from exercises.project61.part5_deployment.kustomize import NAMES
from exercises.project61.values import Object, listed, table
from lab.compose_project import beside

_KINDS = {"secretGenerator": ("Secret", "stringData"), "configMapGenerator": ("ConfigMap", "data")}
MOST_FILES = 50
"""Of all generators; others are not read."""


@dataclass(frozen=True, slots=True)
class _Generator:
    """An entry of `secretGenerator` or `configMapGenerator` in the kustomization at `path`."""

    path: str
    kind: str
    data: str
    entry: Object

    @property
    def variables(self) -> list[str]:
        """The files that hold variables."""
        named = [*listed(self.entry.get("envs")), self.entry.get("env")]
        return [beside(self.path, name) for name in named if isinstance(name, str)]

    @property
    def files(self) -> dict[str, str]:
        """The files that become values as they are, by the key of each."""
        pairs = (str(one).rpartition("=") for one in listed(self.entry.get("files")))
        return {key or posixpath.basename(name): beside(self.path, name) for key, _, name in pairs}

    def object(self, texts: Mapping[str, str]) -> Object:
        """Return what is generated, as far as the files that it is made of are known."""
        literals = [str(one) for one in listed(self.entry.get("literals"))]
        lines = [line for name in self.variables for line in texts.get(name, "").splitlines()]
        pairs = (line.partition("=") for line in (*literals, *lines) if not line.lstrip().startswith("#"))
        values = {name.strip(): value.strip().strip("\"'") for name, _, value in pairs if name.strip()}
        values |= {key: texts[name].strip() for key, name in self.files.items() if name in texts}
        return {
            "kind": self.kind,
            "metadata": {"name": str(self.entry.get("name") or "")},
            self.data: values,
        }


def generated(loaded: Mapping[str, Sequence[Any]], texts: Mapping[str, str]) -> Iterator[Object]:
    """Yield the Secrets and ConfigMaps that kustomizations make. `texts` are the files of the repository by path."""
    return (one.object(texts) for one in _generators(loaded))


def sources(loaded: Mapping[str, Sequence[Any]]) -> list[str]:
    """Return the paths of the files that generators read, those outside of the repository aside."""
    named = (name for one in _generators(loaded) for name in (*one.variables, *one.files.values()))
    inside = (name for name in named if not name.startswith(("/", "..")))
    return list(dict.fromkeys(inside))[:MOST_FILES]


def _generators(loaded: Mapping[str, Sequence[Any]]) -> Iterator[_Generator]:
    for path, documents in loaded.items():
        one = table(documents[0]) if posixpath.basename(path) in NAMES and documents else {}
        for field, (kind, data) in _KINDS.items():
            for entry in map(table, listed(one.get(field))):
                yield _Generator(path, kind, data, entry)
