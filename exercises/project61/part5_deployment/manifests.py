"""Reads Kubernetes manifests: their objects, as kustomizations deploy them."""

import posixpath
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from chaos.history import File
from exercises.project61.part5_deployment import generators, kustomize
from exercises.project61.part5_deployment.kustomize import Image, Kustomization
from exercises.project61.values import Object, listed, table
from lab import compose_file
from lab.health_command import asks_nobody

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
_MOST_APIS = 10
"""Deployments of the API that are judged: each is compared with everything else."""
_PROBES = ("liveness", "readiness")
_ASKED = re.compile(
    r"\b(?:localhost|127\.0\.0\.1|0\.0\.0\.0|\[::1\])(?::(?:\d+|\$?\$[({]?\w+[)}]?))?(?P<path>/[\w./-]*)"
)
_CURL_FAILS = re.compile(r" -\w*f|--fail|http_code|status")
"""What curl needs to fail at a status that is an error."""
_MOST_CHARACTERS = 1_000
"""Of a command that is read."""
_API_NAME = re.compile(r"(?:^|[-_])(?:api|gateway|app)(?:$|[-_\d])")


@dataclass(frozen=True, slots=True)
class Manifests:
    """The objects of manifests, without patches, and what a kustomization makes of their images, one after another.

    `origin` is the kustomization that deploys them, if any. `others` are those in the repository that are not deployed
    with them, those that kustomizations generate included. `deployments` is what each kustomization makes of the objects that it reaches, and the objects that none
    reaches. `files` are those that hold the objects. `has_chart` tells that there are templates of Helm's, which are no manifests yet.
    """

    objects: tuple[Object, ...]
    others: tuple[Object, ...] = ()
    images: tuple[Image, ...] = ()
    origin: str = ""
    deployments: "tuple[Manifests, ...]" = ()
    has_chart: bool = False
    files: tuple[File, ...] = ()

    def of(self, kind: str) -> list[Object]:
        """Return the objects of a kind."""
        return [one for one in self.objects if one.get("kind") == kind]

    def in_repository(self, kind: str) -> list[Object]:
        """Return the objects of a kind, with those that are not deployed."""
        return [*self.of(kind), *(one for one in self.others if one.get("kind") == kind)]

    def apis(self, alive: str, ready: Collection[str]) -> list[Object]:
        """Return the Deployments of the API: none of the parts that it rests on, and those with its probes if any has them.

        There is one for each environment, unless kustomizations make them of one. `alive` is the path that tells that it
        lives, `ready` those that tell whether its dependencies do.
        """
        deployments = self.of("Deployment")
        found = [one for one in deployments if not _is_part(one) or _asked(one) & {*ready}]
        found = found or [one for one in deployments if _API_NAME.search(name(one))]
        likeness = [(bool(_asked(one) & {alive, *ready}), bool(_API_NAME.search(name(one)))) for one in found]
        best = max(likeness, default=None)
        return [one for one, like in zip(found, likeness, strict=True) if like == best][:_MOST_APIS]

    def image(self, container: Object) -> str:
        """Return the image of a container as it is deployed."""
        image = str(container.get("image") or "")
        for one in self.images:
            image = one.apply(image)
        return image


def read(files: Sequence[File]) -> Manifests:
    """Return what the files of a submission hold of Kubernetes. Raises ValueError, with the path, for no YAML."""
    charts = {posixpath.dirname(file.path) for file in files if posixpath.basename(file.path) == "Chart.yaml"}
    loaded: dict[str, list[Any]] = {}
    for file in files:
        if not _is_yaml(file.path) or _is_in_chart(file.path, charts):
            continue
        try:
            loaded[file.path] = compose_file.load_all(file.text)
        except ValueError as error:
            if "apiVersion" in file.text:
                raise ValueError(f"{file.path}: {error}") from error
    kustomizations, others = kustomize.read(loaded)
    objects = {path: list(_objects(documents)) for path, documents in loaded.items() if path not in others}
    generated = tuple(generators.generated(loaded, {file.path: file.text for file in files}))
    return Manifests(
        tuple(_of_files(objects, objects)),
        deployments=tuple(_deployments(objects, kustomizations, generated)),
        has_chart=bool(charts),
        files=tuple(file for file in files if objects.get(file.path)),
    )


def sources(files: Iterable[File]) -> list[str]:
    """Return the paths of the files that kustomizations generate Secrets and ConfigMaps of."""
    loaded: dict[str, list[Any]] = {}
    for file in files:
        if posixpath.basename(file.path) in kustomize.NAMES:
            with suppress(ValueError):
                loaded[file.path] = compose_file.load_all(file.text)
    return generators.sources(loaded)


def _deployments(
    objects: Mapping[str, Sequence[Object]],
    kustomizations: Sequence[Kustomization],
    generated: tuple[Object, ...],
) -> Iterator[Manifests]:
    for one in kustomizations:
        made = filter(None, map(one.apply, _of_files(objects, one.files)))
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


def containers(workload: Object, *lists: str) -> list[Object]:
    """Return the containers of a workload's pods. `lists` are more of the pod's lists, such as `initContainers`."""
    spec = pod(workload)
    return [one for name in ("containers", *lists) for one in listed(spec.get(name)) if isinstance(one, dict)]


def serving(workload: Object, paths: Collection[str] = ()) -> Object:
    """Return the container that serves: the first one that is asked at `paths`, or by HTTP, or at all; empty for none."""
    found = containers(workload)
    asked = [(one, {probe_path(one, kind) for kind in _PROBES} - {""}) for one in found]
    right = [one for one, own in asked if own.intersection(paths)]
    return next(iter([*right, *(one for one, own in asked if own), *found]), {})


def probe_path(container: Object, kind: str) -> str:
    """Return the path that a probe asks by HTTP, or by the URL in its command; an empty string for none."""
    probe = table(container.get(f"{kind}Probe"))
    path = str(table(probe.get("httpGet")).get("path") or _asked_by(table(probe.get("exec"))))
    return path.partition("?")[0].rstrip("/") or path


def _asked_by(action: Object) -> str:
    """Return the path that a command asks at its own host, if it fails where the answer is an error."""
    command = " ".join(map(str, listed(action.get("command"))))[:_MOST_CHARACTERS]
    found = _ASKED.search(command)
    forgives = asks_nobody(command) or ("curl" in command and not _CURL_FAILS.search(command))
    return found["path"] if found and not forgives else ""


def name(one: Object) -> str:
    """Return the name of an object."""
    return str(table(one.get("metadata")).get("name") or "")


def are_together(one: Object, other: Object) -> bool:
    """Whether two objects can be in one namespace: where one does not say, it goes where the other does."""
    named = {str(table(each.get("metadata")).get("namespace") or "") for each in (one, other)}
    return len(named - {""}) < 2


def _is_part(deployment: Object) -> bool:
    images = [str(container.get("image") or "").lower() for container in containers(deployment)]
    return all(any(part in image for part in _PARTS) for image in images)


def _asked(deployment: Object) -> set[str]:
    """Return the paths that the probes of a Deployment's containers ask."""
    return {probe_path(one, kind) for one in containers(deployment) for kind in _PROBES}


def _is_yaml(path: str) -> bool:
    is_settings = path.startswith(".github/")
    return not is_settings and path.endswith((".yml", ".yaml", "Kustomization"))


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
