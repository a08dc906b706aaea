"""Whether files fit the published schemas of their formats, which are installed with their tools."""

import importlib.resources
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any, Literal

import jsonschema
import kubernetes_validate

from exercises.project61.values import table
from lab.reading import excerpt

Format = Literal["compose-spec", "github-workflows"]

_NAMED = re.compile(r"[a-z0-9.-]{1,100}(?:/[a-z0-9]{1,50})? [A-Za-z0-9]{1,63}")
"""An API version and a kind; schemas are looked for in files that are named after them."""
_SETTINGS = frozenset({"Config"})
"""What Skaffold and kubectl call files of their own, which no cluster is given."""


@cache
def _validator(name: Format) -> jsonschema.protocols.Validator:
    folder = importlib.resources.files("check_jsonschema") / "builtin_schemas" / "vendor"
    schema = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    return jsonschema.validators.validator_for(schema)(schema)


def problem(content: Any, name: Format) -> str:
    """Return what is wrong with a file's content by the schema of its format; an empty string for nothing."""
    error = jsonschema.exceptions.best_match(_validator(name).iter_errors(content))
    if error is None:
        return ""
    place = ".".join(map(str, error.absolute_path)) or "the file"
    return f"{place}: {error.message[:200]}"


def kubernetes_problems(objects: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Yield what is wrong with Kubernetes objects; those of third parties have no schema, and pass."""
    version = kubernetes_validate.latest_version()
    for one in objects:
        name = excerpt(f"{one.get('kind')} {table(one.get('metadata')).get('name', '')}", 100)
        if not _NAMED.fullmatch(f"{one.get('apiVersion')} {one.get('kind')}"):
            yield f"{name}: its apiVersion or its kind is no name"
            continue
        try:
            # What SOPS writes beside the values that it has encrypted reaches no cluster.
            given = {field: value for field, value in one.items() if field != "sops"}
            kubernetes_validate.validate(given, version, strict=True)
        except kubernetes_validate.SchemaNotFoundError:
            if _is_kubernetes_own(one):
                yield f"{name}: {one.get('apiVersion')} has no {one.get('kind')} in Kubernetes {version}"
        except kubernetes_validate.ValidationError as error:
            place = ".".join(map(str, error.path)) or "the object"
            yield f"{name}: {place}: {str(error.message)[:200]}"


def _is_kubernetes_own(one: Mapping[str, Any]) -> bool:
    """Whether an object claims to be of a group of Kubernetes' own; those without a dot are reserved for it."""
    group, slash, _ = str(one.get("apiVersion")).rpartition("/")
    if one.get("kind") in _SETTINGS:
        return False
    return not slash or "." not in group or group in _groups()


@cache
def _groups() -> frozenset[str]:
    """Return the API groups that Kubernetes has schemas of."""
    folder = importlib.resources.files(kubernetes_validate) / "kubernetes-json-schema"
    file = folder / f"v{kubernetes_validate.latest_version()}-local-strict" / "_definitions.json"
    definitions = json.loads(file.read_text(encoding="utf-8"))["$defs"].values()
    return frozenset(
        kind["group"] for one in definitions for kind in one.get("x-kubernetes-group-version-kind", ())
    )
