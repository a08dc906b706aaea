"""The experiment of the deployment: nothing is started, its files are read."""

import glob
from collections.abc import Iterable

from chaos.history import File
from exercises.project61.part5_deployment import compose, manifests
from lab.experiment import experiment
from lab.lab import Lab

__all__ = ["deployment_files"]

FOLDERS = (
    *("deploy", "deployment", "deployments", "k8s", "kubernetes", "manifests", "kustomize", "charts", "helm"),
    *("infra", "infrastructure", "ops", "docker", "monitoring"),
)
_MANIFESTS = ("*.yml", "*.yaml", "Kustomization")
_MOST_STEPS = 3
"""From a compose file to one that it includes or extends, and on."""
PATTERNS = (
    *("*Dockerfile*", "*/*Dockerfile*", "src/**/*Dockerfile*", ".dockerignore", *_MANIFESTS),
    *(f".github/{name}" for name in ("workflows/*.yml", "workflows/*.yaml", "**/action.y*ml")),
    *(f"{folders}/action.y*ml" for folders in ("*", "*/*")),
    *(f"{folder}/**/{name}" for folder in FOLDERS for name in (*_MANIFESTS, "*Dockerfile*")),
)


@experiment(seconds=1, needs="nothing")
async def deployment_files(lab: Lab) -> None:
    """Read Dockerfiles, compose files, Kubernetes manifests with the files that they are made of, and workflows."""
    lab.record_files(*PATTERNS)
    _record(lab, manifests.sources(lab.history.of(File)))
    for _ in range(_MOST_STEPS):
        _record(lab, compose.sources({file.path: file.text for file in lab.history.of(File)}))


def _record(lab: Lab, paths: Iterable[str]) -> None:
    known = {file.path for file in lab.history.of(File)}
    lab.record_files(*(glob.escape(path) for path in paths if path not in known))
