"""What kustomizations make of manifests: patches, images and numbers of replicas, as far as a verdict rests on them."""

import copy
import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from exercises.project61.values import Object, listed, table
from lab import compose_file
from lab.compose_project import beside

NAMES = frozenset({"kustomization.yaml", "kustomization.yml", "Kustomization"})
_NO_MANIFESTS = ("transformers", "generators", "validators", "configurations")
"""The fields that name files with settings of kustomize's own."""
_SAFE_PATTERN = re.compile(r"[\w.|-]*(?:\.?\*[\w.|-]*){0,3}")
"""A target's name that can be matched in little time; the longest name has 253 characters."""
_KEYS = {
    **dict.fromkeys(("containers", "initContainers", "env", "volumes"), "name"),
    "ports": "containerPort",
    "volumeMounts": "mountPath",
}
"""The lists that a strategic merge goes through by a field of their entries, with that field."""
_DIRECTIVE = "$patch"


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
class Labels:
    """Labels that a kustomization adds to pods, and to what selects them if `is_selecting`."""

    pairs: Object
    is_selecting: bool

    def add(self, one: dict[str, Any]) -> None:
        """Add the labels to a workload or a PodDisruptionBudget."""
        spec = table(one.get("spec"))
        if "template" in spec:
            spec = _with(spec, self.pairs, "template", "metadata", "labels")
        if self.is_selecting and "selector" in spec and one.get("kind") != "Service":
            spec = _with(spec, self.pairs, "selector", "matchLabels")
        if spec:
            one["spec"] = spec


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
    labels: tuple[Labels, ...] = ()
    namespace: str = ""

    def __bool__(self) -> bool:
        return bool(self.patches or self.images or self.replicas or self.labels)

    def after(self, other: "Kustomization") -> "Kustomization":
        return Kustomization(
            self.path,
            self.files | other.files,
            other.patches + self.patches,
            other.images + self.images,
            other.replicas + self.replicas,
            other.labels + self.labels,
            self.namespace or other.namespace,
        )

    def apply(self, one: Object) -> Object | None:
        """Return an object as it is deployed, its images aside; None if a patch deletes it."""
        made = copy.deepcopy(dict(one))
        for target, patch in self.patches:
            if not _is_for(target, made):
                continue
            patched = _patched(made, patch, is_named=not target)
            if patched is None:
                return None
            made = patched
        counts = dict(self.replicas)
        name = str(table(made.get("metadata")).get("name"))
        if name in counts and "spec" in made:
            made["spec"] = {**table(made["spec"]), "replicas": counts[name]}
        for labels in self.labels:
            labels.add(made)
        if self.namespace:
            made["metadata"] = {**table(made.get("metadata")), "namespace": self.namespace}
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
    settings = {
        beside(path, str(name))
        for path, one in found.items()
        for field in _NO_MANIFESTS
        for name in listed(one.get(field))
    }
    others = {path for path in loaded if path in settings or posixpath.dirname(path) in settings}
    return [one for path, one in made.items() if one or path not in bases], {*found, *patches, *others}


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
        tuple(_labels(one)),
        str(one.get("namespace") or ""),
    )
    return own.after(made)


def _named(path: str, one: Object) -> Iterator[str]:
    """Yield the files and folders that a kustomization builds on."""
    for field in ("bases", "resources", "components"):
        yield from (beside(path, str(name)) for name in listed(one.get(field)))


def _below(path: str, found: Mapping[str, Object]) -> Iterator[str]:
    """Yield the kustomizations that one builds on."""
    for folder in _named(path, found[path]):
        yield from (below for name in NAMES if (below := posixpath.join(folder, name)) in found)


def _patches(path: str, one: Object, loaded: Mapping[str, Sequence[Any]]) -> Iterator[tuple[Object, Any]]:
    """Yield the patches of a kustomization, each with its target."""
    for target, file, text in _patch_entries(path, one):
        documents = loaded.get(file, ())
        if text:
            try:
                documents = compose_file.load_all(text)
            except ValueError:
                continue
        yield from ((target, document) for document in documents)


def _patch_files(path: str, kustomization: Object) -> Iterator[str]:
    return (file for _, file, _ in _patch_entries(path, kustomization) if file)


def _patch_entries(path: str, one: Object) -> Iterator[tuple[Object, str, str]]:
    """Yield the target of each patch, its file, and its text if it stands in the kustomization itself."""
    for entry in listed(one.get("patchesStrategicMerge")):
        if isinstance(entry, str):
            yield ({}, "", entry) if "\n" in entry else ({}, beside(path, entry), "")
    for entry in map(table, [*listed(one.get("patchesJson6902")), *listed(one.get("patches"))]):
        named, text = entry.get("path"), entry.get("patch")
        file = beside(path, named) if isinstance(named, str) else ""
        yield table(entry.get("target")), file, text if isinstance(text, str) else ""


def _labels(one: Object) -> Iterator[Labels]:
    if common := table(one.get("commonLabels")):
        yield Labels(common, is_selecting=True)
    for entry in map(table, listed(one.get("labels"))):
        is_selecting = entry.get("includeSelectors") is True
        if is_selecting or entry.get("includeTemplates") is True:
            yield Labels(table(entry.get("pairs")), is_selecting)


def _with(one: Object, pairs: Object, *way: str) -> dict[str, Any]:
    """Return a mapping with pairs added to the mapping at the end of a way."""
    if not way:
        return {**one, **pairs}
    return {**one, way[0]: _with(table(one.get(way[0])), pairs, *way[1:])}


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
    """Whether a patch with a target, or without any, may be for an object; an object as a patch names what it is for.

    Kustomize takes the name and the kind of a target for regular expressions.
    """
    metadata = table(one.get("metadata"))
    named = {"kind": one.get("kind"), "name": metadata.get("name")}
    labels = {f"{name}={value}" for name, value in table(metadata.get("labels")).items()}
    wanted = [part.strip() for part in str(target.get("labelSelector") or "").split(",")]
    return all(_fits(target.get(field), value) for field, value in named.items()) and all(
        part in labels for part in wanted if "=" in part and "!" not in part
    )


def _fits(wanted: Any, value: Any) -> bool:
    if wanted in (None, "", value):
        return True
    pattern = str(wanted)
    with suppress(re.error):
        return bool(_SAFE_PATTERN.fullmatch(pattern) and re.fullmatch(pattern, str(value)[:253]))
    return False


def _patched(one: Object, patch: Any, *, is_named: bool) -> dict[str, Any] | None:
    """Return an object after a patch; None if the patch deletes it.

    A patch that is an object, and that has no target beside it, names the object that it is for (`is_named`).
    """
    if isinstance(patch, list):
        made = copy.deepcopy(dict(one))
        for operation in map(table, patch):
            _operate(made, operation)
        return made
    if not isinstance(patch, dict) or (is_named and not _is_for(_identity(patch), one)):
        return dict(one)
    if patch.get(_DIRECTIVE) == "delete":
        return None
    return _merged(one, {name: value for name, value in patch.items() if name not in {"metadata", "kind"}})


def _identity(patch: Object) -> Object:
    return {"kind": patch.get("kind"), "name": table(patch.get("metadata")).get("name")}


def _merged(one: Object, patch: Object) -> dict[str, Any]:
    """Merge as a strategic merge does: by key, lists of what has names by these, other lists as a whole."""
    made = {} if patch.get(_DIRECTIVE) == "replace" else dict(one)
    for name, value in patch.items():
        if value is None:
            made.pop(name, None)
        elif isinstance(value, dict):
            made[name] = _merged(table(made.get(name)), value)
        elif name in _KEYS and isinstance(value, list):
            made[name] = _merged_by(_KEYS[name], listed(made.get(name)), value)
        elif name != _DIRECTIVE:
            made[name] = value
    return made


def _merged_by(key: str, ones: Sequence[Any], patches: Sequence[Any]) -> list[Any]:
    by_key = {str(table(one).get(key)): one for one in ones}
    for patch in map(table, patches):
        value = str(patch.get(key))
        by_key[value] = _merged(table(by_key.get(value)), patch)
        if patch.get(_DIRECTIVE) == "delete":
            del by_key[value]
    return list(by_key.values())


def _operate(one: Any, operation: Object) -> None:
    """Carry out an operation of JSON Patch (RFC 6902) that adds, replaces or removes; what has no such place is left."""
    *way, last = [
        part.replace("~1", "/").replace("~0", "~") for part in str(operation.get("path") or "").split("/")[1:]
    ] or [""]
    for part in way:
        if isinstance(one, list) and part.isdecimal() and int(part) < len(one):
            one = one[int(part)]
        else:
            one = one.get(part) if isinstance(one, dict) else None
    if operation.get("op") == "remove":
        _remove(one, last)
    elif operation.get("op") not in {"add", "replace"}:
        return
    elif isinstance(one, dict):
        one[last] = operation.get("value")
    elif isinstance(one, list) and operation["op"] == "add":
        one.insert(int(last) if last.isdecimal() else len(one), operation.get("value"))
    elif isinstance(one, list) and last.isdecimal() and int(last) < len(one):
        one[int(last)] = operation.get("value")


def _remove(one: Any, last: str) -> None:
    if isinstance(one, dict):
        one.pop(last, None)
    elif isinstance(one, list) and last.isdecimal() and int(last) < len(one):
        del one[int(last)]
