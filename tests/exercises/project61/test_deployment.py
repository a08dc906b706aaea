"""The checks of a deployment, on the files of this repository and on what a small change makes of them."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from chaos.contract import Contract
from chaos.history import Began, File, History
from exercises.project61.part5_deployment import checks
from exercises.project61.part5_deployment.experiments import FOLDERS
from lab.verdict import Verdict

ROOT = Path(__file__).parents[3]
DEPLOYMENT = "deploy/kubernetes/base/deployment.yaml"
COMPOSE = "docker-compose.yml"
DOCKERFILE = "src/api/Dockerfile"
WORKFLOW = ".github/workflows/ci.yml"

Check = Callable[[History], Verdict]
Change = tuple[str, str, str]
"""A file, and what stands in it instead of what."""


def own_files() -> dict[str, str]:
    named = [ROOT / COMPOSE, ROOT / DOCKERFILE, *ROOT.glob(".github/workflows/*.yml")]
    nested = [path for folder in FOLDERS for path in (ROOT / folder).glob("**/*.yaml")]
    return {path.relative_to(ROOT).as_posix(): path.read_text() for path in [*named, *nested]}


FILES = own_files()


def judged(check: Check, files: Mapping[str, str]) -> Verdict:
    contract = Contract.model_validate(
        {"start": {"main": "main.py", "service": "api", "example": "x"}, "endpoints": {"alive": "/health"}}
    )
    began = Began(experiment="deployment_files", seed=1, contract=contract)
    return check(History([began, *(File(path=path, text=text) for path, text in files.items())]))


def changed(*changes: Change) -> dict[str, str]:
    files = dict(FILES)
    for path, old, new in changes:
        assert old in files[path], f"{path} does not hold {old!r}"
        files[path] = files[path].replace(old, new, 1)
    return files


CHECKS: list[Check] = [
    checks.image_is_safe,
    checks.compose_is_complete,
    checks.manifests_are_valid,
    checks.manifests_make_sense,
    checks.workflow_tests_and_builds,
]


@pytest.mark.parametrize("check", CHECKS)
def test_what_this_repository_deploys_passes(check: Check) -> None:
    verdict = judged(check, FILES)

    assert verdict.passed, verdict.actual


@pytest.mark.parametrize("check", CHECKS)
def test_a_repository_without_files_fails(check: Check) -> None:
    assert judged(check, {"README.md": "# Nothing"}).status == "failed"


WRONG: dict[str, tuple[Check, list[Change], str]] = {
    "root by default": (checks.image_is_safe, [(DOCKERFILE, "USER api\n", "")], "runs as root"),
    "root by number": (checks.image_is_safe, [(DOCKERFILE, "USER api\n", "USER 0:0\n")], "runs as root"),
    "root in the last stage": (
        checks.image_is_safe,
        [(DOCKERFILE, "EXPOSE 8000", "FROM python:3.11-slim\nEXPOSE 8000")],
        "runs as root",
    ),
    "a secret by ENV": (
        checks.image_is_safe,
        [(DOCKERFILE, "EXPOSE 8000", "ENV JWT_SECRET_KEY=b7c1d2\nEXPOSE 8000")],
        "ENV JWT_SECRET_KEY",
    ),
    ".env is copied": (
        checks.image_is_safe,
        [(DOCKERFILE, "COPY src ./src", "COPY src .env ./")],
        "COPY .env",
    ),
    "no Redis": (
        checks.compose_is_complete,
        [
            (COMPOSE, "  redis:\n", "  store:\n"),
            (COMPOSE, "${REDIS_IMAGE:-redis:7.4-alpine}", "memcached:1.6"),
        ],
        "no Redis",
    ),
    "nobody asks PostgreSQL": (
        checks.compose_is_complete,
        [(COMPOSE, '["CMD", "pg_isready", "--username", "api", "--dbname", "api"]', '["NONE"]')],
        "PostgreSQL",
    ),
    "an unknown key": (
        checks.compose_is_complete,
        [(COMPOSE, "  redis:\n", "  redis:\n    memory: 1g\n")],
        "redis",
    ),
    "a number for a quantity": (
        checks.manifests_are_valid,
        [(DEPLOYMENT, "containerPort: 8000", 'containerPort: "8000"')],
        "containerPort",
    ),
    "a misspelt field": (
        checks.manifests_are_valid,
        [(DEPLOYMENT, "readinessProbe", "readynessProbe")],
        "readynessProbe",
    ),
    "probes swapped": (
        checks.manifests_make_sense,
        [
            (DEPLOYMENT, "/health/detailed", "/swapped"),
            (
                DEPLOYMENT,
                "livenessProbe:\n            httpGet: {path: /health,",
                "livenessProbe:\n            httpGet: {path: /health/detailed,",
            ),
            (DEPLOYMENT, "/swapped", "/health"),
        ],
        "livenessProbe asks /health/detailed",
    ),
    "no readiness": (
        checks.manifests_make_sense,
        [(DEPLOYMENT, "readinessProbe", "x-readiness")],
        "readinessProbe asks nothing",
    ),
    "a short grace period": (
        checks.manifests_make_sense,
        [(DEPLOYMENT, "terminationGracePeriodSeconds: 45", "terminationGracePeriodSeconds: 30")],
        "terminationGracePeriodSeconds",
    ),
    "a hook that eats the grace period": (
        checks.manifests_make_sense,
        [(DEPLOYMENT, "{sleep: {seconds: 5}}", '{exec: {command: [sh, -c, "sleep 20"]}}')],
        "leaves 25 s",
    ),
    "no requests": (
        checks.manifests_make_sense,
        [(DEPLOYMENT, "requests: {cpu: 250m, memory: 192Mi}", "requests: {}")],
        "requests.cpu",
    ),
    "one replica": (
        checks.manifests_make_sense,
        [
            (DEPLOYMENT, "replicas: 2", "replicas: 1"),
            ("deploy/kubernetes/base/autoscaler.yaml", "minReplicas: 2", "minReplicas: 1"),
        ],
        "fewer than 2 replicas",
    ),
    "a budget for others": (
        checks.manifests_make_sense,
        [("deploy/kubernetes/base/disruption-budget.yaml", "name: llm-api}", "name: other}")],
        "PodDisruptionBudget",
    ),
    "root in Kubernetes": (
        checks.manifests_make_sense,
        [
            (DEPLOYMENT, "runAsNonRoot: true", "runAsNonRoot: false"),
            (DEPLOYMENT, "runAsUser: 10001", "runAsUser: 0"),
        ],
        "root",
    ),
    "the latest image": (
        checks.manifests_make_sense,
        [
            (DEPLOYMENT, "llm-api:0.1.0", "llm-api:latest"),
            ("deploy/kubernetes/overlays/production/kustomization.yaml", "newTag: 0.1.0", "newTag: latest"),
        ],
        "not pinned",
    ),
    "a secret in clear": (
        checks.manifests_make_sense,
        [(DEPLOYMENT, "valueFrom: {secretKeyRef: {name: llm-api, key: jwt-secret-key}}", 'value: "3f9c2a"')],
        "JWT_SECRET_KEY stands in clear",
    ),
    "a secret in the configuration": (
        checks.manifests_make_sense,
        [
            (
                "deploy/kubernetes/base/configmap.yaml",
                "  ENVIRONMENT",
                "  JWT_SECRET_KEY: 3f9c2a\n  ENVIRONMENT",
            )
        ],
        "ConfigMap",
    ),
    "no tests": (checks.workflow_tests_and_builds, [(WORKFLOW, "make test", "make score")], "runs the tests"),
    "no build": (
        checks.workflow_tests_and_builds,
        [(WORKFLOW, "docker build", "docker pull")],
        "builds the image",
    ),
    "by hand only": (
        checks.workflow_tests_and_builds,
        [(WORKFLOW, "  push:\n    branches: [main]\n  pull_request:\n", "  workflow_dispatch:\n")],
        "runs on push",
    ),
    "a workflow without a machine": (
        checks.workflow_tests_and_builds,
        [(WORKFLOW, "runs-on", "runs_on")],
        "runs_on",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_named(case: str) -> None:
    check, changes, named = WRONG[case]

    verdict = judged(check, changed(*changes))

    assert verdict.status == "failed"
    assert named in verdict.actual


HOSTILE = {
    "no YAML": "apiVersion: [",
    "an alias of itself": "apiVersion: v1\nkind: &a [*a]\n",
    "many aliases": "apiVersion: v1\nkind: List\nitems:\n- &a0 [x,x,x,x,x,x,x,x,x,x]\n"
    + "".join(f"- &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 9)),
    "numbers for names": "1: 2\napiVersion: 3\nkind: Deployment\nmetadata: 4\nspec: 5\n",
    "lists for tables": "apiVersion: apps/v1\nkind: Deployment\nmetadata: []\nspec: []\n",
    "null": "null\n---\nnull\n",
    "containers of text": "apiVersion: apps/v1\nkind: Deployment\nspec: {template: {spec: {containers: [a, b]}}}\n",
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("path", [DEPLOYMENT, COMPOSE, WORKFLOW, DOCKERFILE])
def test_odd_files_get_a_verdict(name: str, check: Check, path: str) -> None:
    verdict = judged(check, {**FILES, path: HOSTILE[name]})

    assert verdict.status in {"passed", "failed"}
