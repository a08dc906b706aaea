"""What kustomizations make of manifests: patches, images and numbers of replicas, as far as a verdict rests on them."""

import copy
import posixpath
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from exercises.project61.part5_deployment.values import Object, listed, table
from lab import compose_file

NAMES = frozenset({"kustomization.yaml", "kustomization.yml", "Kustomization"})
_LISTED_BY_NAME = frozenset({"containers", "initContainers", "env", "volumes"})
"""The lists that a strategic merge goes through by the names of their entries."""


@dataclass(frozen=True, slots=True)
class Image:
    """What a kustomization makes of the images called `of`; what is empty of `name` and `version` stays as it is."""

    of: str
    name: str
    version: str
    """With its sign: `:1.0.0`, or `@sha256:...`."""

    def apply(self, image: str) -> str:
        """Return an image as it is deployed."""
        name = _without_version(image)
        return (self.name or name) + (self.version or image[len(name) :]) if name == self.of else image


@dataclass(frozen=True, slots=True)
class Kustomization:
    """What a kustomization does, with all that it builds on, in this order. `replicas` are by the names that they are for.

    It lies at `path`, and `files` are those whose objects it is about. A patch is an object, or a list of JSON Patch
    operations; `target` is the kind and name that it is for, if it says so.
    """

    path: str
    files: frozenset[str] = frozenset()
    patches: tuple[tuple[Object, Any], ...] = ()
    images: tuple[Image, ...] = ()
    replicas: tuple[tuple[str, int], ...] = ()

    def __bool__(self) -> bool:
        return bool(self.patches or self.images or self.replicas)

    def after(self, other: "Kustomization") -> "Kustomization":
        return Kustomization(
            self.path,
            self.files | other.files,
            other.patches + self.patches,
            other.images + self.images,
            other.replicas + self.replicas,
        )

    def apply(self, one: Object) -> Object:
        """Return an object as it is deployed, its images aside."""
        made = copy.deepcopy(dict(one))
        for target, patch in self.patches:
            if _is_for(target, made):
                made = _patched(made, patch)
        counts = dict(self.replicas)
        name = str(table(made.get("metadata")).get("name"))
        if name in counts and "spec" in made:
            made["spec"] = {**table(made["spec"]), "replicas": counts[name]}
        return made


def read(loaded: Mapping[str, Sequence[Any]]) -> tuple[list[Kustomization], set[str]]:
    """Return the kustomizations among loaded files, and the paths that are no manifests for them.

    Those that change nothing and that others build on are left out.
    """
    found = {
        path: documents[0]
        for path, documents in loaded.items()
        if posixpath.basename(path) in NAMES and documents and isinstance(documents[0], dict)
    }
    patches = {patch for path, one in found.items() for patch in _patch_files(path, one)}
    bases = {base for path in found for base in _below(path, found)}
    made = {path: _build(path, found, loaded, set()) for path in found}
    return [one for path, one in made.items() if one or path not in bases], {*found, *patches}


def generated(loaded: Mapping[str, Sequence[Any]]) -> Iterator[Object]:
    """Yield the Secrets and ConfigMaps that kustomizations make of the literal values in them."""
    for path, documents in loaded.items():
        one = table(documents[0]) if posixpath.basename(path) in NAMES and documents else {}
        for field, kind, data in (
            ("secretGenerator", "Secret", "stringData"),
            ("configMapGenerator", "ConfigMap", "data"),
        ):
            for entry in map(table, listed(one.get(field))):
                pairs = (str(literal).partition("=") for literal in listed(entry.get("literals")))
                values = {name: value.strip("\"'") for name, _, value in pairs}
                yield {"kind": kind, "metadata": {"name": str(entry.get("name") or "")}, data: values}


def _build(
    path: str, found: Mapping[str, Object], loaded: Mapping[str, Sequence[Any]], seen: set[str]
) -> Kustomization:
    one = found[path]
    made = Kustomization(path)
    seen.add(path)
    for below in _below(path, found):
        if below not in seen:
            made = _build(below, found, loaded, seen).after(made)
    own = Kustomization(
        path,
        frozenset(_named(path, one)).intersection(loaded),
        tuple(_patches(path, one, loaded)),
        tuple(_images(one)),
        tuple(
            (str(entry.get("name")), entry["count"])
            for entry in map(table, listed(one.get("replicas")))
            if isinstance(entry.get("count"), int)
        ),
    )
    return own.after(made)


def _named(path: str, one: Object) -> Iterator[str]:
    """Yield the files and folders that a kustomization builds on."""
    for field in ("bases", "resources", "components"):
        yield from (_beside(path, name) for name in listed(one.get(field)))


def _below(path: str, found: Mapping[str, Object]) -> Iterator[str]:
    """Yield the kustomizations that one builds on."""
    for folder in _named(path, found[path]):
        yield from (below for name in NAMES if (below := posixpath.join(folder, name)) in found)


def _patches(path: str, one: Object, loaded: Mapping[str, Sequence[Any]]) -> Iterator[tuple[Object, Any]]:
    for file in _patch_files(path, one):
        target = next(
            (
                table(entry.get("target"))
                for entry in map(table, listed(one.get("patches")))
                if _beside(path, entry.get("path")) == file
            ),
            {},
        )
        yield from ((target, document) for document in loaded.get(file, ()))
    for entry in map(table, listed(one.get("patches"))):
        if isinstance(entry.get("patch"), str):
            try:
                documents = compose_file.load_all(entry["patch"])
            except ValueError:
                continue
            yield from ((table(entry.get("target")), document) for document in documents)


def _patch_files(path: str, kustomization: Object) -> Iterator[str]:
    entries = [*listed(kustomization.get("patches")), *listed(kustomization.get("patchesJson6902"))]
    named = [table(one).get("path") for one in entries]
    for one in [*named, *listed(kustomization.get("patchesStrategicMerge"))]:
        if isinstance(one, str):
            yield _beside(path, one)


def _beside(path: str, name: Any) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(path), str(name)))


def _images(kustomization: Object) -> Iterator[Image]:
    for one in map(table, listed(kustomization.get("images"))):
        digest, tag = one.get("digest"), one.get("newTag")
        version = f"@{digest}" if digest else f":{tag}" if tag else ""
        yield Image(str(one.get("name") or ""), str(one.get("newName") or ""), version)


def _without_version(image: str) -> str:
    image = image.partition("@")[0]
    head, slash, last = image.rpartition("/")
    return head + slash + last.partition(":")[0]


def _is_for(target: Object, one: Object) -> bool:
    """Whether a patch with a target, or without any, may be for an object; an object as a patch names what it is for."""
    named = {"kind": one.get("kind"), "name": table(one.get("metadata")).get("name")}
    return all(target.get(field) in {None, value} for field, value in named.items())


def _patched(one: Object, patch: Any) -> dict[str, Any]:
    if isinstance(patch, list):
        made = copy.deepcopy(dict(one))
        for operation in map(table, patch):
            _operate(made, operation)
        return made
    if not isinstance(patch, dict) or not _is_for(_identity(patch), one):
        return dict(one)
    return _merged(one, {name: value for name, value in patch.items() if name != "metadata"})


def _identity(patch: Object) -> Object:
    return {"kind": patch.get("kind"), "name": table(patch.get("metadata")).get("name")}


def _merged(one: Object, patch: Object) -> dict[str, Any]:
    """Merge as a strategic merge does: by key, lists of what has names by these, other lists as a whole."""
    made = dict(one)
    for name, value in patch.items():
        if value is None:
            made.pop(name, None)
        elif isinstance(value, dict):
            made[name] = _merged(table(made.get(name)), value)
        elif name in _LISTED_BY_NAME and isinstance(value, list):
            made[name] = _merged_by_name(listed(made.get(name)), value)
        else:
            made[name] = value
    return made


def _merged_by_name(ones: Sequence[Any], patches: Sequence[Any]) -> list[Any]:
    by_name = {table(one).get("name"): one for one in ones}
    for patch in patches:
        name = table(patch).get("name")
        by_name[name] = _merged(table(by_name.get(name)), table(patch))
    return list(by_name.values())


def _operate(one: Any, operation: Object) -> None:
    """Carry out an operation of JSON Patch (RFC 6902) that adds or replaces; what has no such place is left."""
    *way, last = [
        part.replace("~1", "/").replace("~0", "~") for part in str(operation.get("path") or "").split("/")[1:]
    ] or [""]
    for part in way:
        if isinstance(one, list) and part.isdecimal() and int(part) < len(one):
            one = one[int(part)]
        else:
            one = one.get(part) if isinstance(one, dict) else None
    if operation.get("op") not in {"add", "replace"}:
        return
    if isinstance(one, dict):
        one[last] = operation.get("value")
    elif isinstance(one, list) and last == "-":
        one.append(operation.get("value"))
    elif isinstance(one, list) and last.isdecimal() and int(last) < len(one):
        one[int(last)] = operation.get("value")
