"""Reads Kubernetes manifests: their objects, as kustomizations deploy them."""

import posixpath
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chaos.history import File
from exercises.project61.part5_deployment import kustomize
from exercises.project61.part5_deployment.kustomize import Image, Kustomization
from exercises.project61.part5_deployment.values import Object, listed, table
from lab import compose_file

_PARTS = (
    "redis",
    "valkey",
    "postgres",
    "prometheus",
    "grafana",
    "litellm",
    "ollama",
    "vllm",
    "nginx",
    "exporter",
)
"""What others' images are called that a manifest of the project may run beside the API."""
_API_NAME = re.compile(r"(?:^|[-_])(?:api|gateway|app)(?:$|[-_\d])")


@dataclass(frozen=True, slots=True)
class Manifests:
    """The objects of manifests, without patches, and what a kustomization makes of their images, one after another.

    `origin` is the kustomization that deploys them, if any. `others` are those in the repository that are not deployed
    with them, those that kustomizations generate included. `deployments` is what each kustomization makes of the objects that it reaches, and the objects that none
    reaches. `has_chart` tells that there are templates of Helm's, which are no manifests yet.
    """

    objects: tuple[Object, ...]
    others: tuple[Object, ...] = ()
    images: tuple[Image, ...] = ()
    origin: str = ""
    deployments: "tuple[Manifests, ...]" = ()
    has_chart: bool = False

    def of(self, kind: str) -> list[Object]:
        """Return the objects of a kind."""
        return [one for one in self.objects if one.get("kind") == kind]

    def in_repository(self, kind: str) -> list[Object]:
        """Return the objects of a kind, with those that are not deployed."""
        return [*self.of(kind), *(one for one in self.others if one.get("kind") == kind)]

    def api(self, paths: Collection[str]) -> Object | None:
        """Return the Deployment of the API: none of the parts that it rests on, and one that is asked at `paths` if any is."""
        found = [one for one in self.of("Deployment") if not _is_part(one)]
        return max(
            found, key=lambda one: (_is_asked(one, paths), bool(_API_NAME.search(name(one)))), default=None
        )

    def image(self, container: Object) -> str:
        """Return the image of a container as it is deployed."""
        image = str(container.get("image") or "")
        for one in self.images:
            image = one.apply(image)
        return image


def read(files: Sequence[File]) -> Manifests:
    """Return what the YAML files of a submission hold of Kubernetes. Raises ValueError, with the path, for no YAML."""
    charts = {posixpath.dirname(file.path) for file in files if posixpath.basename(file.path) == "Chart.yaml"}
    loaded: dict[str, list[Any]] = {}
    for file in files:
        if _is_in_chart(file.path, charts):
            continue
        try:
            loaded[file.path] = compose_file.load_all(file.text)
        except ValueError as error:
            if "apiVersion" in file.text:
                raise ValueError(f"{file.path}: {error}") from error
    kustomizations, others = kustomize.read(loaded)
    objects = {path: list(_objects(documents)) for path, documents in loaded.items() if path not in others}
    generated = tuple(kustomize.generated(loaded))
    return Manifests(
        tuple(_of_files(objects, objects)),
        deployments=tuple(_deployments(objects, kustomizations, generated)),
        has_chart=bool(charts),
    )


def _deployments(
    objects: Mapping[str, Sequence[Object]],
    kustomizations: Sequence[Kustomization],
    generated: tuple[Object, ...],
) -> Iterator[Manifests]:
    for one in kustomizations:
        made = map(one.apply, _of_files(objects, one.files))
        others = _of_files(objects, objects.keys() - one.files)
        yield Manifests(tuple(made), (*others, *generated), one.images, one.path)
    reached = frozenset().union(*(one.files for one in kustomizations))
    if rest := tuple(_of_files(objects, objects.keys() - reached)):
        yield Manifests(rest, (*_of_files(objects, reached), *generated))


def _of_files(objects: Mapping[str, Sequence[Object]], files: Collection[str]) -> Iterator[Object]:
    return (one for path, ones in objects.items() if path in files for one in ones)


def pod(workload: Object) -> Object:
    """Return the specification of a workload's pods."""
    return table(table(table(workload.get("spec")).get("template")).get("spec"))


def containers(workload: Object) -> list[Object]:
    """Return the containers of a workload's pods."""
    return [one for one in listed(pod(workload).get("containers")) if isinstance(one, dict)]


def serving(workload: Object) -> Object:
    """Return the container that serves: the first one that is asked by HTTP, or else the first; empty for none."""
    found = containers(workload)
    return next(
        (one for one in found if probe_path(one, "liveness") or probe_path(one, "readiness")), None
    ) or (found[0] if found else {})


def probe_path(container: Object, kind: str) -> str:
    """Return the path that a probe asks by HTTP; an empty string for none."""
    return str(table(table(container.get(f"{kind}Probe")).get("httpGet")).get("path") or "")


def name(one: Object) -> str:
    """Return the name of an object."""
    return str(table(one.get("metadata")).get("name") or "")


def _is_part(deployment: Object) -> bool:
    images = [str(container.get("image") or "").lower() for container in containers(deployment)]
    return all(any(part in image for part in _PARTS) for image in images)


def _is_asked(deployment: Object, paths: Collection[str]) -> bool:
    container = serving(deployment)
    return any(probe_path(container, kind) in paths for kind in ("liveness", "readiness"))


def _is_in_chart(path: str, charts: Collection[str]) -> bool:
    """Whether a file is one of Helm's templates, which are no YAML until it has filled them in."""
    return any(path.startswith(posixpath.join(chart, "templates", "")) for chart in charts)


def _objects(documents: Sequence[Any]) -> Iterator[Object]:
    for one in documents:
        if isinstance(one, dict) and all(isinstance(one.get(key), str) for key in ("apiVersion", "kind")):
            if one["kind"] == "List":
                yield from _objects(listed(one.get("items")))
            else:
                yield one
