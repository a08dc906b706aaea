"""Whether files fit the published schemas of their formats, which are installed with their tools."""

import importlib.resources
import json
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any, Literal

import jsonschema
import kubernetes_validate

from exercises.project61.part5_deployment.values import table

Format = Literal["compose-spec", "github-workflows"]


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
    """Yield what is wrong with Kubernetes objects; kinds that are none of Kubernetes' own have no schema, and pass."""
    for one in objects:
        name = f"{one.get('kind')} {table(one.get('metadata')).get('name', '')}".strip()
        try:
            kubernetes_validate.validate(dict(one), kubernetes_validate.latest_version(), strict=True)
        except kubernetes_validate.SchemaNotFoundError:
            continue
        except kubernetes_validate.ValidationError as error:
            place = ".".join(map(str, error.path)) or "the object"
            yield f"{name}: {place}: {str(error.message)[:200]}"
