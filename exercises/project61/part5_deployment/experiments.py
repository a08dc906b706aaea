"""The experiment of the deployment: nothing is started, its files are read."""

from lab.experiment import experiment
from lab.lab import Lab

__all__ = ["deployment_files"]

FOLDERS = (
    *("deploy", "deployment", "deployments", "k8s", "kubernetes", "manifests", "kustomize", "charts", "helm"),
    *("infra", "infrastructure", "ops", "docker", "monitoring"),
)
_MANIFESTS = ("*.yml", "*.yaml", "Kustomization")
PATTERNS = (
    *("*Dockerfile*", "*/*Dockerfile*", "src/**/*Dockerfile*", ".dockerignore", *_MANIFESTS),
    *(".github/workflows/*.yml", ".github/workflows/*.yaml"),
    *(f"{folder}/**/{name}" for folder in FOLDERS for name in (*_MANIFESTS, "*Dockerfile*")),
)


@experiment(seconds=1, needs="nothing")
async def deployment_files(lab: Lab) -> None:
    """Read Dockerfiles, compose files, Kubernetes manifests and workflows."""
    lab.record_files(*PATTERNS)
