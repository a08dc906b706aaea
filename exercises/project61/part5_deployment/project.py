"""The compose project of a submission, and what the images of its services are built from."""

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from chaos.history import File, History
from exercises.project61.part5_deployment import compose, references
from exercises.project61.part5_deployment.image import Image, built
from exercises.project61.values import table
from lab import compose_project


@dataclass(frozen=True, slots=True)
class Project:
    """The compose project of a submission, and the Dockerfiles of its images.

    `file` is None if there is no compose file, and `problem` says why it has no services. `shipped` are the services
    without the override file.
    """

    history: History
    file: File | None = None
    services: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    shipped: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    problem: str = ""

    @classmethod
    def of(cls, history: History) -> Self:
        files = {file.path: file.text for file in history.of(File)}
        path = compose.main_file(files)
        if path is None:
            return cls(history)
        try:
            services = compose.services(path, files)
            shipped = compose_project.services(path, files, is_overridden=False)
            return cls(history, history.file(path), services, shipped)
        except ValueError as error:
            return cls(history, history.file(path), problem=str(error))

    @property
    def api(self) -> Mapping[str, Any]:
        """The entry of the API; empty where it cannot be told."""
        return self.services.get(compose.kinds(self.services).get("API", ""), {})

    def dangling(self) -> list[str]:
        """Say what the services name that the project does not have. Raises ValueError if one of its files is not YAML."""
        files = {file.path: file.text for file in self.history.of(File)}
        if self.file is None or set(compose_project.named_files(self.file.path, files)) - files.keys():
            return []
        has = {name: compose_project.section(name, self.file.path, files) for name in references.SECTIONS}
        return list(references.missing(self.services, has))

    @property
    def shipped_api(self) -> Mapping[str, Any]:
        """The entry of the API as it is built for others: by the override file only if nothing else builds it."""
        shipped = self.shipped.get(compose.kinds(self.services).get("API", ""), {})
        return shipped if "build" in shipped else self.api

    def dockerfile(self) -> File | None:
        """Return the Dockerfile of the API: what the compose file builds it from, else the one that lies highest."""
        if named := self._built_from(self.shipped_api):
            return named
        found = [file for file in self.history.of(File) if "Dockerfile" in posixpath.basename(file.path)]
        return min(found, key=_plainness, default=None)

    def is_checked(self, name: str) -> bool:
        """Whether something asks a service for its health."""
        service = self.services[name]
        file = self.dockerfile() if service is self.api else self._built_from(service)
        return compose.has_health_check(service, self.image(file, service).healthcheck if file else "")

    def image(self, file: File, service: Mapping[str, Any]) -> Image:
        """Return what a Dockerfile makes for a service."""
        path, target = compose.dockerfile(self.file.path if self.file else "", service)
        return built(file.text, compose.build_arguments(service), target if path == file.path else "")

    def _built_from(self, service: Mapping[str, Any]) -> File | None:
        inline = table(service.get("build")).get("dockerfile_inline")
        if self.file and isinstance(inline, str):
            return self.file.model_copy(update={"text": inline})
        path, _ = compose.dockerfile(self.file.path if self.file else "", service)
        return self.history.file(path) if path else None


def _plainness(dockerfile: File) -> tuple[bool, int, str]:
    """Put files that are called Dockerfile first, and of these the one that is nearest to the root."""
    name = posixpath.basename(dockerfile.path)
    return name != "Dockerfile", dockerfile.path.count("/"), dockerfile.path
