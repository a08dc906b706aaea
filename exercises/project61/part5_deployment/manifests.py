"""Reads Kubernetes manifests: their objects, and what a kustomization makes of their images."""

import posixpath
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chaos.history import File
from lab import compose_file

Object = Mapping[str, Any]
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


@dataclass(frozen=True, slots=True)
class Manifests:
    """The objects of all manifests, without patches, and the images that kustomizations put in place of others'."""

    objects: tuple[Object, ...]
    images: Mapping[str, str]

    def of(self, kind: str) -> list[Object]:
        """Return the objects of a kind."""
        return [one for one in self.objects if one.get("kind") == kind]

    def api(self) -> Object | None:
        """Return the Deployment of the API: one whose image is none of the parts that it rests on."""
        for one in self.of("Deployment"):
            images = [str(container.get("image") or "") for container in containers(one)]
            if images and not any(part in image.lower() for image in images[:1] for part in _PARTS):
                return one
        return None

    def image(self, container: Object) -> str:
        """Return the image of a container as it is deployed."""
        image = str(container.get("image") or "")
        return self.images.get(_without_tag(image), image)


def read(files: Sequence[File]) -> Manifests:
    """Return what the YAML files of a submission hold of Kubernetes. Raises ValueError, with the path, for no YAML."""
    loaded: dict[str, list[Any]] = {}
    for file in files:
        try:
            loaded[file.path] = compose_file.load_all(file.text)
        except ValueError as error:
            if "apiVersion" in file.text:
                raise ValueError(f"{file.path}: {error}") from error
    kustomizations = {
        path: one
        for path, documents in loaded.items()
        if posixpath.basename(path) in {"kustomization.yaml", "kustomization.yml"}
        for one in documents[:1]
        if isinstance(one, dict)
    }
    patches = {patch for path, one in kustomizations.items() for patch in _patches(path, one)}
    objects = [
        one
        for path, documents in loaded.items()
        if path not in patches and path not in kustomizations
        for one in _objects(documents)
    ]
    images = {name: image for one in kustomizations.values() for name, image in _images(one)}
    return Manifests(tuple(objects), images)


def pod(workload: Object) -> Object:
    """Return the specification of a workload's pods."""
    return table(table(table(workload.get("spec")).get("template")).get("spec"))


def containers(workload: Object) -> list[Object]:
    """Return the containers of a workload's pods."""
    return [one for one in listed(pod(workload).get("containers")) if isinstance(one, dict)]


def table(value: Any) -> Object:
    """Return a mapping as it is, and an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def listed(value: Any) -> list[Any]:
    """Return a list as it is, and an empty one for anything else."""
    return value if isinstance(value, list) else []


def _objects(documents: Sequence[Any]) -> Iterator[Object]:
    for one in documents:
        if isinstance(one, dict) and all(isinstance(one.get(name), str) for name in ("apiVersion", "kind")):
            if one["kind"] == "List":
                yield from _objects(listed(one.get("items")))
            else:
                yield one


def _patches(path: str, kustomization: Object) -> Iterator[str]:
    folder = posixpath.dirname(path)
    named = [table(one).get("path") for one in listed(kustomization.get("patches"))]
    for one in [*named, *listed(kustomization.get("patchesStrategicMerge"))]:
        if isinstance(one, str):
            yield posixpath.normpath(posixpath.join(folder, one))


def _images(kustomization: Object) -> Iterator[tuple[str, str]]:
    for one in map(table, listed(kustomization.get("images"))):
        name = str(one.get("newName") or one.get("name") or "")
        if digest := one.get("digest"):
            yield str(one.get("name")), f"{name}@{digest}"
        elif tag := one.get("newTag"):
            yield str(one.get("name")), f"{name}:{tag}"


def _without_tag(image: str) -> str:
    image = image.partition("@")[0]
    head, _, last = image.rpartition("/")
    last = last.partition(":")[0]
    return f"{head}/{last}" if head else last
