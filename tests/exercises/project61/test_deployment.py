"""The checks of a deployment, on the files of this repository and on what a small change makes of them."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from chaos.contract import Contract
from chaos.history import Began, File, History
from exercises.project61.part5_deployment import checks, workflow
from exercises.project61.part5_deployment.compose import kinds
from exercises.project61.part5_deployment.experiments import FOLDERS, PATTERNS, deployment_files
from exercises.project61.part5_deployment.image import built
from exercises.project61.part5_deployment.secrets import gives_away
from lab.verdict import Verdict
from tests.lab.test_lab import open_lab

pytestmark = pytest.mark.medium

ROOT = Path(__file__).parents[3]
DEPLOYMENT = "deploy/kubernetes/base/deployment.yaml"
COMPOSE = "docker-compose.yml"
DOCKERFILE = "src/api/Dockerfile"
WORKFLOW = ".github/workflows/ci.yml"
OVERLAY = "deploy/kubernetes/overlays/production"
KUSTOMIZATION = f"{OVERLAY}/kustomization.yaml"
BASE = "deploy/kubernetes/base/kustomization.yaml"

GENERATED = "secretGenerator: [{{name: llm-api, literals: [POSTGRES_USER=api, JWT_SECRET_KEY={value}]}}]\n"

BUILD = "      dockerfile: src/api/Dockerfile\n      args: *python\n"

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


BUDGET = "deploy/kubernetes/base/disruption-budget.yaml"
TARGET = (COMPOSE, BUILD, BUILD + "      target: api\n")
API_CHECK = "healthcheck:\n      # Liveness, by the interpreter that is there: the image has no curl.\n"
LITELLM_TEST = next(line for line in FILES[COMPOSE].splitlines(keepends=True) if "4000/health" in line)
LITELLM_BUILD = "    build:\n      context: litellm\n      args: *python\n"
GRAFANA = (
    "services: {grafana: {image: grafana/grafana:12, healthcheck: {test: [CMD, wget, localhost:3000]}}}\n"
)
NO_GRAFANA = [(COMPOSE, "  grafana:\n", "  others:\n"), (COMPOSE, "grafana/grafana:", "others:")]
NAMED_STAGE = (DOCKERFILE, "FROM ${PYTHON_IMAGE}\n", "FROM ${PYTHON_IMAGE} AS api\n")
CONTAINERS = "      containers:\n"
INIT_CONTAINERS = """      initContainers:
        - {name: migrations, image: "api:1", env: [{name: DB_PASSWORD, value: hunter2}]}
"""
NEW_NAME = "images: [{name: api, newName: ghcr.io/example/llm-api}]\nresources:\n"
BY_PATCH = "patches:\n  - path: replicas.yaml\n  - target: {kind: Deployment, name: llm-api}\n    patch: |-\n"

AUTOSCALER = "deploy/kubernetes/base/autoscaler.yaml"
VARIABLES = "/spec/template/spec/containers/0/env"
ADDED_VARIABLES = f"""      - {{op: add, path: {VARIABLES}, value: [{{name: JWT_SECRET_KEY, value: 3f9c2a}}]}}
      - {{op: add, path: {VARIABLES}/0, value: {{name: PORT, value: "8000"}}}}
"""
ELSEWHERE = [
    (BUDGET, "metadata:\n", "metadata:\n  namespace: other\n"),
    (DEPLOYMENT, "metadata:\n", "metadata:\n  namespace: api\n"),
]
ADDED_PORT = """      spec: {template: {spec: {containers: [{name: api, ports: [{name: admin, containerPort: 9000}]}]}}}
"""

WRONG: dict[str, tuple[Check, list[Change], str]] = {
    "root by default": (checks.image_is_safe, [(DOCKERFILE, "USER api\n", "")], "runs as root"),
    "root by number": (checks.image_is_safe, [(DOCKERFILE, "USER api\n", "USER 0:0\n")], "runs as root"),
    "root in the last stage": (
        checks.image_is_safe,
        [(DOCKERFILE, "EXPOSE 8000", "FROM python:3.11-slim\nEXPOSE 8000")],
        "runs as root",
    ),
    "root by a default": (
        checks.image_is_safe,
        [(DOCKERFILE, "USER api\n", "ARG RUN_AS=0\nUSER ${RUN_AS}\n")],
        "runs as root",
    ),
    "root by an argument for all stages": (
        checks.image_is_safe,
        [
            (DOCKERFILE, "ARG PYTHON_IMAGE", "ARG RUN_AS=root\nARG PYTHON_IMAGE"),
            (DOCKERFILE, "USER api\n", 'ARG RUN_AS\nENV WHO=$RUN_AS\nUSER "$WHO:1000"\n'),
        ],
        "runs as root",
    ),
    "root by the default of a reference": (
        checks.image_is_safe,
        [(DOCKERFILE, "USER api\n", "USER ${RUN_AS:-0}\n")],
        "runs as root",
    ),
    "root by the compose file": (
        checks.image_is_safe,
        [
            (DOCKERFILE, "USER api\n", "ARG RUN_AS=10001\nUSER ${RUN_AS}\n"),
            (COMPOSE, BUILD, BUILD.replace("*python", "{RUN_AS: '${RUN_AS:-0}'}")),
        ],
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
    "files like .env are copied": (
        checks.image_is_safe,
        [(DOCKERFILE, "COPY src ./src", "COPY src .env* ./")],
        "COPY .env*",
    ),
    ".env is written": (
        checks.image_is_safe,
        [(DOCKERFILE, "EXPOSE 8000", "COPY <<EOF /app/.env\nJWT_SECRET_KEY=b7c1d2\nEOF\nEXPOSE 8000")],
        "COPY /app/.env",
    ),
    "root by zeros": (checks.image_is_safe, [(DOCKERFILE, "USER api\n", "USER 00\n")], "runs as root"),
    "root in the stage that the compose file builds": (
        checks.image_is_safe,
        [(DOCKERFILE, "USER api\n", "FROM scratch AS tests\nUSER api\n"), NAMED_STAGE, TARGET],
        "runs as root",
    ),
    "a user in a here-document alone": (
        checks.image_is_safe,
        [(DOCKERFILE, "USER api\n", "RUN <<EOF\nUSER api\nEOF\n")],
        "runs as root",
    ),
    "a secret after a comment": (
        checks.image_is_safe,
        [(DOCKERFILE, "EXPOSE 8000", "ENV A=1 \\\n # the key\n JWT_SECRET_KEY=b7c1d2\nEXPOSE 8000")],
        "ENV JWT_SECRET_KEY",
    ),
    "a health check of the image that asks nobody": (
        checks.image_is_safe,
        [(COMPOSE, API_CHECK, "x-check:\n"), (DOCKERFILE, "EXPOSE 8000", 'HEALTHCHECK CMD ["true"]')],
        "nothing asks for its health",
    ),
    "a health check that is switched off": (
        checks.compose_is_complete,
        [
            (COMPOSE, API_CHECK, "healthcheck:\n      disable: true\n"),
            (DOCKERFILE, "EXPOSE 8000", "HEALTHCHECK CMD curl -f localhost:8000/health"),
        ],
        "the health of API",
    ),
    "a health check that cannot fail": (
        checks.compose_is_complete,
        [(COMPOSE, '["CMD", "redis-cli", "ping"]', "redis-cli ping || exit 0")],
        "the health of Redis",
    ),
    "a health check that asks for a process": (
        checks.compose_is_complete,
        [(COMPOSE, '["CMD", "redis-cli", "ping"]', '["CMD", "pgrep", "redis-server"]')],
        "the health of Redis",
    ),
    "a health check of the program itself": (
        checks.compose_is_complete,
        [(COMPOSE, '["CMD", "redis-cli", "ping"]', "redis-cli --version")],
        "the health of Redis",
    ),
    "Loki in place of Grafana": (
        checks.compose_is_complete,
        [(COMPOSE, "  grafana:\n", "  loki:\n"), (COMPOSE, "grafana/grafana:", "grafana/loki:")],
        "no Grafana",
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
    **{
        f"a compose file that lacks {lacking}": (
            checks.compose_is_complete,
            [(COMPOSE, "  redis:\n", f"  redis:\n    {named}\n")],
            said,
        )
        for lacking, named, said in (
            ("a volume", "volumes: [nodata:/data]", "redis names nodata, which is not under volumes"),
            ("a configuration", "configs: [{source: conf}]", "redis names conf, which is not under configs"),
            (
                "a network",
                "networks: {inner: {aliases: [a]}}",
                "redis names inner, which is not under networks",
            ),
            ("a secret", "secrets: [nobodys]", "redis names nobodys, which is not under secrets"),
            ("a service", "depends_on: [nobody]", "redis depends on nobody, which is no service"),
        )
    },
    "a key of a service twice": (
        checks.compose_is_complete,
        [(COMPOSE, "  redis:\n", "  redis:\n    restart: always\n    restart: always\n")],
        "a mapping has restart (line",
    ),
    "a key of a manifest twice": (
        checks.manifests_are_valid,
        [(BUDGET, "spec:\n", "spec:\n  minAvailable: 2\n")],
        "disruption-budget.yaml: a mapping has minAvailable (line 7) twice",
    ),
    "a key of a workflow twice": (
        checks.workflow_tests_and_builds,
        [(WORKFLOW, "run: make test", "run: make test\n        run: make test")],
        "a mapping has run (line",
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
    "an API that was removed": (
        checks.manifests_are_valid,
        [("deploy/kubernetes/base/disruption-budget.yaml", "policy/v1", "policy/v1beta1")],
        "policy/v1beta1 has no PodDisruptionBudget",
    ),
    "an API that there never was": (
        checks.manifests_are_valid,
        [(DEPLOYMENT, "apps/v1", "apps/v2")],
        "apps/v2 has no Deployment",
    ),
    "a version of a group with a dot": (
        checks.manifests_are_valid,
        [("deploy/kubernetes/base/ingress.yaml", "networking.k8s.io/v1", "networking.k8s.io/v1beta1")],
        "networking.k8s.io/v1beta1 has no Ingress",
    ),
    "a misspelt kind": (
        checks.manifests_are_valid,
        [(DEPLOYMENT, "kind: Deployment", "kind: Deploiment")],
        "apps/v1 has no Deploiment",
    ),
    "a kind of the core that is none": (
        checks.manifests_are_valid,
        [("deploy/kubernetes/base/service.yaml", "kind: Service", "kind: Servise")],
        "v1 has no Servise",
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
    "a hook that sleeps for a minute": (
        checks.manifests_make_sense,
        [(DEPLOYMENT, "{sleep: {seconds: 5}}", '{exec: {command: [sh, -c, "sleep 1m"]}}')],
        "leaves -15 s",
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
            (f"{OVERLAY}/replicas.yaml", "minReplicas: 3", "minReplicas: 1"),
        ],
        "fewer than 2 replicas",
    ),
    "a budget for others": (
        checks.manifests_make_sense,
        [("deploy/kubernetes/base/disruption-budget.yaml", "name: llm-api}", "name: other}")],
        "PodDisruptionBudget",
    ),
    "a budget that no kustomization lists": (
        checks.manifests_make_sense,
        [(BASE, "  - disruption-budget.yaml\n", "")],
        "PodDisruptionBudget",
    ),
    "one replica, and an autoscaler that no kustomization lists": (
        checks.manifests_make_sense,
        [
            (DEPLOYMENT, "replicas: 2", "replicas: 1"),
            (BASE, "  - autoscaler.yaml\n", ""),
            (KUSTOMIZATION, "  - path: replicas.yaml\n", ""),
        ],
        "fewer than 2 replicas",
    ),
    "a secret in a ConfigMap that no kustomization lists": (
        checks.manifests_make_sense,
        [
            (
                "deploy/kubernetes/base/configmap.yaml",
                "  ENVIRONMENT",
                "  JWT_SECRET_KEY: 3f9\n  ENVIRONMENT",
            ),
            (BASE, "  - configmap.yaml\n", ""),
        ],
        "ConfigMap",
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
    "an image of a branch": (
        checks.manifests_make_sense,
        [(KUSTOMIZATION, "newTag: 0.1.0", "newTag: dev")],
        "llm-api:dev is not pinned",
    ),
    "a secret that a kustomization generates": (
        checks.manifests_make_sense,
        [(KUSTOMIZATION, "resources:\n", GENERATED.format(value="3f9c2a") + "resources:\n")],
        "the Secret llm-api is in the repository with its values",
    ),
    "a secret in a ConfigMap that a kustomization generates": (
        checks.manifests_make_sense,
        [
            (
                BASE,
                "resources:\n",
                "configMapGenerator: [{name: more, literals: [JWT_SECRET_KEY=3f9c2a]}]\nresources:\n",
            )
        ],
        "JWT_SECRET_KEY stands in clear in the ConfigMap more",
    ),
    "an image with another name alone": (
        checks.manifests_make_sense,
        [
            (DEPLOYMENT, "ghcr.io/example/llm-api:0.1.0", "ghcr.io/example/llm-api"),
            (KUSTOMIZATION, "newTag: 0.1.0", "newName: ghcr.io/example/other"),
        ],
        "ghcr.io/example/other is not pinned",
    ),
    "a secret in a file of which a kustomization generates variables": (
        checks.manifests_make_sense,
        [
            (
                KUSTOMIZATION,
                "resources:\n",
                "secretGenerator: [{name: llm-api, envs: [api.env]}]\nresources:\n",
            )
        ],
        "the Secret llm-api is in the repository with its values",
    ),
    "a secret in a file that a kustomization makes a value of": (
        checks.manifests_make_sense,
        [
            (
                KUSTOMIZATION,
                "resources:\n",
                "secretGenerator: [{name: jwt, files: [key=api.env]}]\nresources:\n",
            )
        ],
        "the Secret jwt is in the repository with its values",
    ),
    "a secret in the variables of a ConfigMap that a kustomization generates": (
        checks.manifests_make_sense,
        [(KUSTOMIZATION, "resources:\n", "configMapGenerator: [{name: more, env: api.env}]\nresources:\n")],
        "JWT_SECRET_KEY stands in clear in the ConfigMap more",
    ),
    "a secret of an init container": (
        checks.manifests_make_sense,
        [(DEPLOYMENT, CONTAINERS, INIT_CONTAINERS + CONTAINERS)],
        "DB_PASSWORD stands in clear",
    ),
    "a budget that keeps nothing": (
        checks.manifests_make_sense,
        [(BUDGET, "minAvailable: 1", "minAvailable: 0")],
        "lets all of its pods be evicted",
    ),
    "a budget that allows everything": (
        checks.manifests_make_sense,
        [(BUDGET, "minAvailable: 1", "maxUnavailable: 100%")],
        "lets all of its pods be evicted",
    ),
    "a budget that allows as many as there are": (
        checks.manifests_make_sense,
        [(BUDGET, "minAvailable: 1", "maxUnavailable: 3")],
        "lets all of its pods be evicted",
    ),
    "a budget that allows most, which is all when rounded up": (
        checks.manifests_make_sense,
        [(BUDGET, "minAvailable: 1", "maxUnavailable: 70%")],
        "lets all of its pods be evicted",
    ),
    "a budget of another namespace": (
        checks.manifests_make_sense,
        [*ELSEWHERE, *((path, "namespace: llm-api\n", "") for path in (BASE, KUSTOMIZATION))],
        "no PodDisruptionBudget",
    ),
    "one replica, and an autoscaler of another kind": (
        checks.manifests_make_sense,
        [(DEPLOYMENT, "replicas: 2", "replicas: 1"), (AUTOSCALER, "kind: Deployment", "kind: StatefulSet")],
        "fewer than 2 replicas",
    ),
    "a secret before which a patch puts another variable": (
        checks.manifests_make_sense,
        [(KUSTOMIZATION, "patches:\n  - path: replicas.yaml\n", BY_PATCH + ADDED_VARIABLES)],
        "JWT_SECRET_KEY stands in clear in the Deployment",
    ),
    "a budget that an overlay deletes": (
        checks.manifests_make_sense,
        [
            (
                KUSTOMIZATION,
                "patches:\n",
                "patches:\n  - target: {kind: PodDisruptionBudget}\n    patch: '{$patch: delete}'\n",
            )
        ],
        "no PodDisruptionBudget",
    ),
    "a probe that an overlay removes": (
        checks.manifests_make_sense,
        [
            (
                KUSTOMIZATION,
                "patches:\n  - path: replicas.yaml\n",
                BY_PATCH + "      - {op: remove, path: /spec/template/spec/containers/0/readinessProbe}\n",
            )
        ],
        "readinessProbe asks nothing",
    ),
    "a probe at a port that there is not": (
        checks.manifests_make_sense,
        [(DEPLOYMENT, "{path: /health/detailed, port: http}", "{path: /health/detailed, port: web}")],
        "asks at the port web",
    ),
    "a probe by a command that forgives": (
        checks.manifests_make_sense,
        [
            (
                DEPLOYMENT,
                "httpGet: {path: /health/detailed, port: http}",
                "exec: {command: [curl, -s, 'localhost:8000/health/detailed']}",
            )
        ],
        "readinessProbe asks nothing",
    ),
    "a secret in a file of variables in a ConfigMap": (
        checks.manifests_make_sense,
        [
            (
                "deploy/kubernetes/base/configmap.yaml",
                "  ENVIRONMENT",
                "  api.env: |\n    A=1\n    JWT_SECRET_KEY=3f9c2a\n  ENVIRONMENT",
            )
        ],
        "JWT_SECRET_KEY stands in clear in the ConfigMap",
    ),
    "an image of one's own machine": (
        checks.manifests_make_sense,
        [(KUSTOMIZATION, "newTag: 0.1.0", "newTag: local")],
        "llm-api:local is not pinned",
    ),
    "an image of two words": (
        checks.manifests_make_sense,
        [(KUSTOMIZATION, "newTag: 0.1.0", "newTag: main-latest")],
        "llm-api:main-latest is not pinned",
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
    "tests whose failure does not count": (
        checks.workflow_tests_and_builds,
        [(WORKFLOW, "make test", "pytest || true")],
        "runs the tests and fails where they fail",
    ),
    "tests that are installed": (
        checks.workflow_tests_and_builds,
        [(WORKFLOW, "make test", "uv pip install pytest")],
        "runs the tests",
    ),
    "tests that never run": (
        checks.workflow_tests_and_builds,
        [(WORKFLOW, "run: make test", "run: make test\n        if: false")],
        "runs the tests",
    ),
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

    verdict = judged(check, {f"{OVERLAY}/api.env": "# keys\nJWT_SECRET_KEY=3f9c2a\n", **changed(*changes)})

    assert verdict.status == "failed"
    assert named in verdict.actual


LITERAL = """            - {name: MAX_TOKENS, value: "1024"}
            - {name: ACCESS_TOKEN_EXPIRE_MINUTES, value: "30"}
            - {name: DATABASE_URL, value: "postgresql://api:$(DATABASE_PASSWORD)@postgres:5432/api"}
            - {name: REDIS_URL, value: "redis://redis:6379/0"}
"""
ENV = "          env:\n"
SECRET = """apiVersion: v1
kind: Secret
metadata: {name: llm-api}
type: Opaque
stringData: {POSTGRES_USER: api, POSTGRES_DB: api, JWT_SECRET_KEY: change-me}
data: {BOOTSTRAP_USERS: cmVwbGFjZS1tZQ==}
"""
CHART = {
    "deploy/chart/Chart.yaml": "apiVersion: v2\nname: llm-api\nversion: 0.1.0\n",
    "deploy/chart/templates/deployment.yaml": "apiVersion: apps/v1\nkind: Deployment\nreplicas: {{ .Values.n }}\n",
}
SIDECAR = """apiVersion: apps/v1
kind: Deployment
metadata: {name: a-backend}
spec:
  selector: {matchLabels: {app: backend}}
  template:
    metadata: {labels: {app: backend}}
    spec: {containers: [{name: backend, image: "models:1"}]}
"""
THIRD_PARTIES = {
    "cert-manager.io/v1": "Certificate",
    "monitoring.coreos.com/v1": "ServiceMonitor",
    "gateway.networking.k8s.io/v1": "HTTPRoute",
    "autoscaling.k8s.io/v1": "VerticalPodAutoscaler",
    "policy.networking.k8s.io/v1alpha1": "AdminNetworkPolicy",
    "networking.istio.io/v1": "VirtualService",
    "kind.x-k8s.io/v1alpha4": "Cluster",
    "skaffold/v4beta11": "Config",
}
ENCRYPTED = """apiVersion: v1
kind: Secret
metadata: {name: llm-api}
stringData: {JWT_SECRET_KEY: "ENC[AES256_GCM,data:Zm9v,iv:YmFy,tag:YmF6,type:str]"}
sops: {version: 3.9.0}
"""
KEDA = """apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata: {name: llm-api}
spec: {scaleTargetRef: {name: llm-api}, minReplicaCount: 2}
"""
PROXY = """        - name: proxy
          image: oauth2-proxy:7.6.0
          livenessProbe: {httpGet: {path: /ping, port: 4180}}
"""
AFTERWARDS = """on: {workflow_run: {workflows: [CI], types: [completed]}}
jobs: {image: {runs-on: ubuntu-latest, steps: [{uses: docker/build-push-action@v6}]}}
"""
ONE_REPLICA = [
    (DEPLOYMENT, "replicas: 2", "replicas: 1"),
    ("deploy/kubernetes/base/autoscaler.yaml", "minReplicas: 2", "minReplicas: 1"),
]

MORE_SERVICES = """include: [deploy/more.yml]
services:
  more:
    image: more:1
    volumes: [data:/data, ./conf:/conf:ro, /var/log:/log, /anonymous, "${PLACE}:/x", {type: bind, source: ., target: /src}]
    networks: [default, inner]
    secrets: [jwt, {source: jwt, target: /jwt}]
    depends_on: {absent: {condition: service_started, required: false}}
"""
RIGHT: dict[str, tuple[Check, list[Change], dict[str, str]]] = {
    "names that sound like secrets, in an image": (
        checks.image_is_safe,
        [(DOCKERFILE, "EXPOSE 8000", "ENV TOKENIZERS_PARALLELISM=false MAX_TOKENS=512\nEXPOSE 8000")],
        {},
    ),
    "a user by a default": (
        checks.image_is_safe,
        [(DOCKERFILE, "USER api\n", "ARG RUN_AS=10001\nUSER ${RUN_AS}\n")],
        {},
    ),
    "a user by the compose file": (
        checks.image_is_safe,
        [
            (DOCKERFILE, "USER api\n", "ARG RUN_AS=0\nUSER ${RUN_AS}\n"),
            (COMPOSE, BUILD, BUILD.replace("*python", "[RUN_AS=10001]")),
        ],
        {},
    ),
    "a base image without root by an argument": (
        checks.image_is_safe,
        [
            (DOCKERFILE, "FROM ${PYTHON_IMAGE}", "FROM gcr.io/distroless/python3:${VARIANT}"),
            (DOCKERFILE, "ARG PYTHON_IMAGE", "ARG VARIANT=nonroot\nARG PYTHON_IMAGE"),
            (DOCKERFILE, "USER api\n", ""),
        ],
        {},
    ),
    "a Dockerfile within the compose file": (
        checks.image_is_safe,
        [
            (COMPOSE, BUILD, '      dockerfile_inline: "FROM python:3.12\\nUSER api"\n'),
            (DOCKERFILE, "USER api\n", ""),
        ],
        {},
    ),
    "a stage for developers by the override file": (
        checks.image_is_safe,
        [(DOCKERFILE, "EXPOSE 8000", "FROM scratch AS dev\nUSER root"), NAMED_STAGE, TARGET],
        {"docker-compose.override.yml": "services: {api: {build: {target: dev}}}\n"},
    ),
    "an argument of the build by the override file": (
        checks.compose_is_complete,
        [],
        {"docker-compose.override.yml": "services: {api: {build: {args: {A: b}}}}\n"},
    ),
    "a user that cannot be told": (
        checks.image_is_safe,
        [(DOCKERFILE, "USER api\n", "ARG RUN_AS\nUSER ${RUN_AS}\n")],
        {},
    ),
    "the stage that the compose file builds, before that of tests": (
        checks.image_is_safe,
        [(DOCKERFILE, "EXPOSE 8000", "FROM scratch AS tests\nUSER root"), NAMED_STAGE, TARGET],
        {},
    ),
    "a script in a here-document": (
        checks.image_is_safe,
        [
            (
                DOCKERFILE,
                "EXPOSE 8000",
                "RUN python - <<'END'\nfrom os import path\nUSER root\nEND\nEXPOSE 8000",
            )
        ],
        {},
    ),
    "an example that becomes .env": (
        checks.image_is_safe,
        [(DOCKERFILE, "EXPOSE 8000", "COPY --chown=api .env.example .env\nEXPOSE 8000")],
        {},
    ),
    "Loki before a Grafana that is called otherwise": (
        checks.compose_is_complete,
        [(COMPOSE, "  grafana:\n", "  loki:\n    image: grafana/loki:3\n  dashboards:\n")],
        {},
    ),
    "a health check that compares what a client said": (
        checks.compose_is_complete,
        [(COMPOSE, '["CMD", "redis-cli", "ping"]', "test $$(redis-cli ping) = PONG")],
        {},
    ),
    "a health check in the Dockerfile of the backend": (
        checks.compose_is_complete,
        [(COMPOSE, LITELLM_TEST, "")],
        {"litellm/Dockerfile": "FROM x:1\nHEALTHCHECK CMD curl -f http://localhost:4000/health/liveliness\n"},
    ),
    "a backend whose image has a health check": (
        checks.compose_is_complete,
        [
            (COMPOSE, LITELLM_TEST, ""),
            (COMPOSE, LITELLM_BUILD, "    image: ghcr.io/ggml-org/llama.cpp:server\n"),
        ],
        {},
    ),
    "an included file": (
        checks.compose_is_complete,
        [*NO_GRAFANA, (COMPOSE, "services:\n", "include: [deploy/grafana.yml]\nservices:\n")],
        {"deploy/grafana.yml": GRAFANA},
    ),
    "volumes and networks of every kind": (
        checks.compose_is_complete,
        [(COMPOSE, "services:\n", MORE_SERVICES)],
        {
            "deploy/more.yml": "volumes: {data: {}}\nsecrets: {jwt: {file: ./jwt}}\n",
            "docker-compose.override.yml": "networks: {inner: {}}\nservices: {more: {environment: [A=1]}}\n",
        },
    ),
    "an override file": (
        checks.compose_is_complete,
        NO_GRAFANA,
        {"docker-compose.override.yml": GRAFANA},
    ),
    "a service that extends another": (
        checks.compose_is_complete,
        [
            (COMPOSE, '      test: ["CMD", "redis-cli", "ping"]\n', ""),
            (COMPOSE, "  redis:\n", "  redis:\n    extends: {file: deploy/common.yml, service: redis}\n"),
        ],
        {"deploy/common.yml": 'services: {redis: {healthcheck: {test: ["CMD", "redis-cli", "ping"]}}}\n'},
    ),
    "a generated Secret with placeholders": (
        checks.manifests_make_sense,
        [(KUSTOMIZATION, "resources:\n", GENERATED.format(value="change-me") + "resources:\n")],
        {},
    ),
    "a path to a secret": (
        checks.image_is_safe,
        [(DOCKERFILE, "EXPOSE 8000", "ENV JWT_SECRET=/run/secrets/jwt\nEXPOSE 8000")],
        {},
    ),
    "a base image without root": (
        checks.image_is_safe,
        [
            (DOCKERFILE, "FROM ${PYTHON_IMAGE}", "FROM gcr.io/distroless/python3-debian12:nonroot"),
            (DOCKERFILE, "USER api\n", ""),
        ],
        {},
    ),
    "names that sound like secrets, and references": (
        checks.manifests_make_sense,
        [(DEPLOYMENT, ENV, ENV + LITERAL)],
        {},
    ),
    "a Secret with placeholders": (
        checks.manifests_make_sense,
        [],
        {"deploy/kubernetes/secret.example.yaml": SECRET},
    ),
    "a Secret that SOPS has encrypted": (
        checks.manifests_make_sense,
        [],
        {"deploy/kubernetes/secret.yaml": ENCRYPTED},
    ),
    "an object that SOPS has encrypted": (
        checks.manifests_are_valid,
        [],
        {"deploy/kubernetes/secret.yaml": ENCRYPTED},
    ),
    "settings of a kustomization": (
        checks.manifests_are_valid,
        [(BASE, "resources:\n", "transformers: [labels.yaml]\nresources:\n")],
        {"deploy/kubernetes/base/labels.yaml": "apiVersion: builtin\nkind: LabelTransformer\n"},
    ),
    "a proxy with a probe beside the API": (
        checks.manifests_make_sense,
        [(DEPLOYMENT, CONTAINERS, CONTAINERS + PROXY)],
        {},
    ),
    "an image that is called like a part": (
        checks.manifests_make_sense,
        [(DEPLOYMENT, "example/llm-api:0.1.0", "example/litellm-gateway:0.1.0")],
        {},
    ),
    "probes by a command": (
        checks.manifests_make_sense,
        [
            (
                DEPLOYMENT,
                "httpGet: {path: /health/detailed, port: http}",
                "exec: {command: [sh, -c, 'curl -fsS http://localhost:8000/health/detailed >/dev/null']}",
            )
        ],
        {},
    ),
    "probes by a command, at a port in a variable": (
        checks.manifests_make_sense,
        [
            (
                DEPLOYMENT,
                "httpGet: {path: /health/detailed, port: http}",
                "exec: {command: [sh, -c, 'curl -fsS http://localhost:${PORT}/health/detailed']}",
            )
        ],
        {},
    ),
    "a port that a patch adds": (
        checks.manifests_make_sense,
        [(KUSTOMIZATION, "patches:\n  - path: replicas.yaml\n", BY_PATCH + ADDED_PORT)],
        {},
    ),
    "a budget that allows one": (
        checks.manifests_make_sense,
        [(BUDGET, "minAvailable: 1", "maxUnavailable: 34%")],
        {},
    ),
    "a namespace for all by a kustomization": (checks.manifests_make_sense, ELSEWHERE, {}),
    "limits that are requests too": (
        checks.manifests_make_sense,
        [
            (DEPLOYMENT, "            requests: {cpu: 250m, memory: 192Mi}\n", ""),
            (DEPLOYMENT, "limits: {memory: 512Mi}", "limits: {cpu: 1, memory: 512Mi}"),
        ],
        {},
    ),
    "resources of the pod": (
        checks.manifests_make_sense,
        [
            (DEPLOYMENT, "          resources:\n", "          env_:\n"),
            (DEPLOYMENT, CONTAINERS, "      resources: {limits: {cpu: 1, memory: 1Gi}}\n" + CONTAINERS),
        ],
        {},
    ),
    "an autoscaler by events": (
        checks.manifests_make_sense,
        [
            (DEPLOYMENT, "  replicas: 2\n", ""),
            (KUSTOMIZATION, "patches:\n  - path: replicas.yaml\n", ""),
            (BASE, "autoscaler.yaml", "keda.yaml"),
        ],
        {"deploy/kubernetes/base/keda.yaml": KEDA},
    ),
    "a budget for all pods": (
        checks.manifests_make_sense,
        [(BUDGET, "selector:\n    matchLabels: {app.kubernetes.io/name: llm-api}", "selector: {}")],
        {},
    ),
    "a label by a kustomization": (
        checks.manifests_make_sense,
        [
            (BUDGET, "name: llm-api}", "name: llm-api, tier: api}"),
            (BASE, "resources:\n", "labels: [{pairs: {tier: api}, includeSelectors: true}]\nresources:\n"),
        ],
        {},
    ),
    "a key for a server that needs none": (
        checks.manifests_make_sense,
        [(DEPLOYMENT, ENV, ENV + "            - {name: OPENAI_API_KEY, value: EMPTY}\n")],
        {},
    ),
    "variables of a kustomization with placeholders": (
        checks.manifests_make_sense,
        [
            (
                KUSTOMIZATION,
                "resources:\n",
                "secretGenerator: [{name: llm-api, envs: [api.env]}]\nresources:\n",
            )
        ],
        {f"{OVERLAY}/api.env": "# keys\nJWT_SECRET_KEY=fill-me-in\n"},
    ),
    "kinds of third parties": (
        checks.manifests_are_valid,
        [],
        {
            f"deploy/{number}.yaml": f"apiVersion: {version}\nkind: {kind}\nmetadata: {{name: a}}\n"
            for number, (version, kind) in enumerate(THIRD_PARTIES.items())
        },
    ),
    "a chart beside manifests": (checks.manifests_are_valid, [], CHART),
    "another Deployment that comes first": (
        checks.manifests_make_sense,
        [],
        {"deploy/kubernetes/a-backend.yaml": SIDECAR},
    ),
    "a production overlay next to one that has a replica alone": (
        checks.manifests_make_sense,
        [(KUSTOMIZATION, "patches:\n  - path: replicas.yaml\n", "")],
        {
            "deploy/kubernetes/overlays/dev/kustomization.yaml": (
                "resources: [../../base]\nreplicas: [{name: llm-api, count: 1}]\n"
            ),
            "deploy/kubernetes/monitoring/kustomization.yaml": "resources: [others.yaml]\n",
            "deploy/kubernetes/monitoring/others.yaml": SIDECAR,
        },
    ),
    "an autoscaler by a component": (
        checks.manifests_make_sense,
        [
            (DEPLOYMENT, "replicas: 2", "replicas: 1"),
            (BASE, "  - autoscaler.yaml\n", ""),
            (KUSTOMIZATION, "patches:\n  - path: replicas.yaml\n", "components: [../../components/scale]\n"),
        ],
        {
            "deploy/kubernetes/components/scale/kustomization.yaml": (
                "kind: Component\nresources: [../../base/autoscaler.yaml]\n"
            )
        },
    ),
    "replicas by an overlay's patch": (checks.manifests_make_sense, ONE_REPLICA, {}),
    "an image that the base names and an overlay pins": (
        checks.manifests_make_sense,
        [(DEPLOYMENT, "ghcr.io/example/llm-api:0.1.0", "api"), (BASE, "resources:\n", NEW_NAME)],
        {},
    ),
    "another name for an image with a version": (
        checks.manifests_make_sense,
        [
            (DEPLOYMENT, "ghcr.io/example/llm-api:0.1.0", "localhost:5000/api:0.1.0"),
            (
                KUSTOMIZATION,
                "name: ghcr.io/example/llm-api\n    newTag: 0.1.0",
                "name: localhost:5000/api\n    newName: ghcr.io/example/llm-api",
            ),
        ],
        {},
    ),
    "a budget by expressions": (
        checks.manifests_make_sense,
        [
            (
                "deploy/kubernetes/base/disruption-budget.yaml",
                "matchLabels: {app.kubernetes.io/name: llm-api}",
                "matchExpressions: [{key: app.kubernetes.io/name, operator: In, values: [llm-api]}]",
            )
        ],
        {},
    ),
    "a grace period by JSON Patch": (
        checks.manifests_make_sense,
        [
            (DEPLOYMENT, "terminationGracePeriodSeconds: 45", "terminationGracePeriodSeconds: 30"),
            (
                KUSTOMIZATION,
                "patches:\n  - path: replicas.yaml\n",
                BY_PATCH
                + "      - {op: replace, path: /spec/template/spec/terminationGracePeriodSeconds, value: 60}\n",
            ),
        ],
        {},
    ),
    "a grace period by an inline patch of JSON 6902": (
        checks.manifests_make_sense,
        [
            (DEPLOYMENT, "terminationGracePeriodSeconds: 45", "terminationGracePeriodSeconds: 30"),
            (
                KUSTOMIZATION,
                "patches:\n  - path: replicas.yaml\n",
                BY_PATCH.replace("patches:\n  - path: replicas.yaml", "patchesJson6902:")
                + "      - {op: replace, path: /spec/template/spec/terminationGracePeriodSeconds, value: 60}\n",
            ),
        ],
        {},
    ),
    "a grace period by a patch whose target is a pattern": (
        checks.manifests_make_sense,
        [
            (DEPLOYMENT, "terminationGracePeriodSeconds: 45", "terminationGracePeriodSeconds: 30"),
            (
                KUSTOMIZATION,
                "patches:\n  - path: replicas.yaml\n",
                BY_PATCH.replace("name: llm-api", "name: llm-.*")
                + "      {spec: {template: {spec: {terminationGracePeriodSeconds: 60}}}}\n",
            ),
        ],
        {},
    ),
    "tests by an action of the repository": (
        checks.workflow_tests_and_builds,
        [(WORKFLOW, "run: make test", "uses: ./.github/actions/test")],
        {
            ".github/actions/test/action.yml": "runs: {using: composite, steps: [{run: pytest, shell: bash}]}\n"
        },
    ),
    "a build that waits for the tests": (
        checks.workflow_tests_and_builds,
        [(WORKFLOW, "docker build", "docker pull")],
        {".github/workflows/image.yml": AFTERWARDS},
    ),
    "a workflow that calls another": (
        checks.workflow_tests_and_builds,
        [(WORKFLOW, "  push:\n    branches: [main]\n  pull_request:\n", "  workflow_call:\n")],
        {
            ".github/workflows/main.yml": (
                "on: [push]\njobs:\n  all:\n    uses: ./.github/workflows/ci.yml\n    secrets: inherit\n"
            )
        },
    ),
}


@pytest.mark.parametrize("case", RIGHT)
def test_what_is_right_in_another_way_passes(case: str) -> None:
    check, changes, added = RIGHT[case]

    verdict = judged(check, {**changed(*changes), **added})

    assert verdict.passed, verdict.actual


@pytest.mark.parametrize(
    "command",
    [
        "pytest",
        "npm test",
        "npm run test:ci",
        "npm --prefix=api test",
        "npm run -s test",
        "pnpm vitest run",
        "npx --no-install jest",
        "node --test",
        "node --import tsx --test 'tests/*.ts'",
        "npm -w api test",
        "npm run ci:test",
        "pnpm --filter api test",
        "yarn workspace api test",
        "npm run coverage",
        "uv run poe test",
        "hatch run test:unit",
        "deno test -A",
        "make -C api test",
        "mise r test",
        "docker build --target tests .",
        "./scripts/run_tests.sh",
        "bash scripts/test.sh",
        "CI=1 pytest",
        "pip install -r requirements.txt && pytest",
        "make -C . ci",
        "pixi run test",
        "bazel test //...",
        "moon run :test",
        "pytest || { echo failed; exit 1; }",
        "set -o pipefail\npytest | tee log",
        "pytest | tee log; exit ${PIPESTATUS[0]}",
        "pytest -k 'a|b'",
        "yes | make test",
        "node --run test",
        "node --run=unit:test",
        "pipenv run test",
        "set +e\npytest",
        "set +e\nrm -r old\nset -e\npytest\necho done",
        "set +e\npytest\ncode=$?\necho done\nexit $code",
    ],
)
def test_commands_that_run_tests(command: str) -> None:
    assert workflow.tests({"jobs": {"test": {"steps": [{"run": command}]}}}, {})


@pytest.mark.parametrize(
    "command",
    [
        "npm ci",
        "npm run build",
        "npm install --save-dev test-tools",
        "node server.js",
        "pip install pytest",
        "uv run ruff check tests",
        "echo pytest",
        "pytest --collect-only",
        "pytest || true",
        "pytest || (echo failed)",
        "pytest || {\n  printf failed\n}",
        "pytest --help",
        "pytest --fixtures",
        "which pytest",
        "pytest | tee log",
        "pip install . && pytest 2>&1 |& tee log || exit 1",
        "npm test \\\n  | tee log",
        "node --run build",
        "set +e\npytest --junitxml=report.xml\nexit 0",
        "set -x +e\nnpm test\necho done",
    ],
)
def test_commands_that_run_none(command: str) -> None:
    assert not workflow.tests({"jobs": {"test": {"steps": [{"run": command}]}}}, {})


@pytest.mark.parametrize(
    "step",
    [
        {"uses": "nick-fields/retry@v3", "with": {"max_attempts": 2, "command": "pytest"}},
        {"uses": "devcontainers/ci@v0.3", "with": {"runCmd": "npm test"}},
        {"uses": "docker/build-push-action@v6", "with": {"target": "tests"}},
    ],
)
def test_actions_that_run_tests(step: dict[str, object]) -> None:
    assert workflow.tests({"jobs": {"test": {"steps": [step]}}}, {})


@pytest.mark.parametrize(("shell", "runs"), [("bash", True), ("bash -e {0}", False), ("sh", False)])
@pytest.mark.parametrize("place", ["step", "job", "workflow"])
def test_tests_before_a_pipe_count_in_a_shell_that_fails_with_them(
    place: str, shell: str, *, runs: bool
) -> None:
    defaults = {"defaults": {"run": {"shell": shell}}}
    step = {"run": "pytest | tee log", **({"shell": shell} if place == "step" else {})}
    job = {"steps": [step], **(defaults if place == "job" else {})}

    assert workflow.tests({"jobs": {"a": job}, **(defaults if place == "workflow" else {})}, {}) is runs


CALLED = {"on": {"workflow_call": None}, "jobs": {"a": {"steps": [{"run": "pytest"}]}}}


@pytest.mark.parametrize("condition", ["false", "${{ false }}", "github.event_name == 'schedule'"])
def test_what_no_push_starts_is_not_called(condition: str) -> None:
    caller = {"on": "push", "jobs": {"tests": {"uses": "./a.yml", "if": condition}}}

    assert workflow.run_on_changes({"b.yml": caller, "a.yml": CALLED}) == [caller]


@pytest.mark.parametrize(("condition", "runs"), [({}, False), ({"if": "always()"}, True)])
def test_a_job_that_needs_one_that_is_skipped_is_skipped(condition: dict[str, str], *, runs: bool) -> None:
    jobs = {
        "never": {"if": False},
        "between": {"needs": "never"},
        "tests": {"needs": ["between"], "steps": [{"run": "pytest"}], **condition},
    }

    assert workflow.tests({"jobs": jobs}, {}) is runs


def test_an_action_whose_failure_is_ignored_runs_no_tests() -> None:
    actions = {"test": {"runs": {"steps": [{"run": "pytest"}]}}}
    step = {"uses": "./test", "continue-on-error": True}

    assert not workflow.tests({"jobs": {"a": {"steps": [step]}}}, actions)


@pytest.mark.parametrize(
    "matrix", [{"task": ["lint", "test"]}, {"include": [{"task": "lint"}, {"task": "test"}]}]
)
def test_tests_may_be_one_of_a_matrix(matrix: dict[str, object]) -> None:
    step = {"run": "make ${{ matrix.task }}"}

    assert workflow.tests({"jobs": {"a": {"strategy": {"matrix": matrix}, "steps": [step]}}}, {})
    assert not workflow.tests({"jobs": {"a": {"steps": [step]}}}, {})


@pytest.mark.parametrize(
    "step",
    [
        {"run": "docker buildx bake"},
        {"run": "docker --context ci build ."},
        {"run": "npm run docker:build"},
        {"run": "./scripts/build-image.sh"},
        {"uses": "depot/build-push-action@v1"},
    ],
)
def test_steps_that_build_an_image(step: dict[str, str]) -> None:
    assert workflow.builds({"jobs": {"image": {"steps": [step]}}}, {})


@pytest.mark.parametrize("developers", ["dev", "staging"])
def test_of_overlays_with_as_many_problems_that_for_production_is_named(developers: str) -> None:
    files = changed((KUSTOMIZATION, "newTag: 0.1.0", "newTag: latest"))
    overlay = "resources: [../../base]\nreplicas: [{name: llm-api, count: 1}]\n"
    files[f"deploy/kubernetes/overlays/{developers}/kustomization.yaml"] = overlay
    files["deploy/kubernetes/base/autoscaler.yaml"] = ""

    verdict = judged(checks.manifests_make_sense, files)

    assert verdict.actual.startswith(f"{KUSTOMIZATION}: the image ")


def test_a_kustomization_without_an_ending_counts(tmp_path: Path) -> None:
    for path, text in changed(*ONE_REPLICA).items():
        file = tmp_path / path.replace("kustomization.yaml", "Kustomization")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    recorded = {path for pattern in PATTERNS for path in tmp_path.glob(pattern) if path.is_file()}

    verdict = judged(
        checks.manifests_make_sense,
        {path.relative_to(tmp_path).as_posix(): path.read_text() for path in recorded},
    )

    assert verdict.passed, verdict.actual


@pytest.mark.parametrize("folder", [".github/actions/run/tests", ".github/tests", "ci/tests", "."])
def test_actions_may_be_in_any_folder(folder: str, tmp_path: Path) -> None:
    action = tmp_path / folder / "action.yml"
    action.parent.mkdir(parents=True, exist_ok=True)
    action.write_text("runs: {using: composite, steps: [{run: pytest, shell: bash}]}\n")
    recorded = {path for pattern in PATTERNS for path in tmp_path.glob(pattern) if path.is_file()}
    files = changed((WORKFLOW, "run: make test", f"uses: ./{folder}"))

    verdict = judged(
        checks.workflow_tests_and_builds,
        {**files, **{path.relative_to(tmp_path).as_posix(): path.read_text() for path in recorded}},
    )

    assert verdict.passed, verdict.actual


@pytest.mark.parametrize("secret", [False, True])
def test_an_environment_may_have_files_of_its_own(secret: bool) -> None:  # noqa: FBT001
    base = {path: text for path, text in FILES.items() if "/base/" in path and path != BASE}
    files = {path.replace("base", "production"): text for path, text in base.items()}
    literal = ENV + "            - {name: HF_TOKEN, value: hf_abc}\n"
    files["deploy/kubernetes/development/deployment.yaml"] = (
        base[DEPLOYMENT].replace("memory: 512Mi", "cpu: 1").replace(ENV, literal if secret else ENV)
    )

    verdict = judged(checks.manifests_make_sense, files)

    assert verdict.passed != secret, verdict.actual
    assert not secret or "HF_TOKEN stands in clear" in verdict.actual


def test_a_compose_file_may_be_in_a_folder() -> None:
    files = {path: text for path, text in FILES.items() if path != COMPOSE}
    files["deploy/docker-compose.yml"] = FILES[COMPOSE].replace("context: .\n", "context: ..\n")

    assert judged(checks.compose_is_complete, files).passed
    assert judged(checks.image_is_safe, files).passed


async def test_files_that_a_compose_file_names_are_recorded(tmp_path: Path) -> None:
    async with open_lab(tmp_path) as lab:
        files = {
            "compose.yaml": "include: [parts/a.yml, ../outside.yml]\nservices: {api: {image: x}}\n",
            "parts/a.yml": "services: {b: {extends: {file: base/b.yml, service: b}}}\n",
            "parts/base/b.yml": "services: {b: {image: x}}\n",
        }
        for name, text in files.items():
            path = tmp_path / "repository" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

        await deployment_files.run(lab)

        assert {file.path for file in lab.history.of(File)} == set(files)


async def test_files_that_kustomizations_generate_of_are_recorded(tmp_path: Path) -> None:
    async with open_lab(tmp_path) as lab:
        repository = tmp_path / "repository"
        (tmp_path / "outside.env").write_text("A=1\n")
        (repository / "k8s").mkdir()
        (repository / "k8s/api.env").write_text("JWT_SECRET_KEY=3f9c2a\n")
        (repository / "k8s/kustomization.yaml").write_text(
            "secretGenerator: [{name: api, envs: [api.env, ../../outside.env], files: [key=none.txt]}]\n"
        )

        await deployment_files.run(lab)

        assert {file.path for file in lab.history.of(File)} == {"k8s/api.env", "k8s/kustomization.yaml"}


def test_a_dockerfile_may_have_another_name() -> None:
    files = changed((COMPOSE, BUILD, ""))
    files["docker/api.Dockerfile"] = files.pop(DOCKERFILE)

    assert judged(checks.image_is_safe, files).passed


def test_a_chart_beside_other_manifests_is_told() -> None:
    verdict = judged(
        checks.manifests_make_sense, {**CHART, "k8s/backend.yaml": SIDECAR.replace("models", "vllm")}
    )

    assert verdict.status == "failed"
    assert "helm template" in verdict.actual


def test_a_chart_alone_is_no_manifest() -> None:
    verdict = judged(checks.manifests_are_valid, CHART)

    assert verdict.status == "failed"
    assert "helm template" in verdict.actual


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("JWT_SECRET_KEY", "3f9c2a", True),
        ("jwt-secret-key", "3f9c2a", True),
        ("apiKey", "3f9c2a", True),
        ("HF_TOKEN", "hf_abc", True),
        ("DATABASE_URL", "postgresql://api:3f9c2a@db/api", True),
        ("CACHE", "redis://:3f9c2a@redis:6379", True),
        ("BOOTSTRAP_USERS", '[{"username": "a", "password": "b"}]', True),
        ("BOOTSTRAP_USERS", '[{"username": "a@example.com", "password": "b"}]', True),
        ("BOOTSTRAP_USERS", '[{"username": "a", "password": "change-me"}]', False),
        ("BOOTSTRAP_USERS", "[]", False),
        ("MAX_TOKENS", "512", False),
        ("JWT_PUBLIC_KEY", "MIIB", False),
        ("API_KEY_HEADER", "X-API-Key", False),
        ("ALLOW_EMPTY_PASSWORD", "yes", False),
        ("JWT_SECRET_KEY", "${JWT_SECRET_KEY}", False),
        ("JWT_SECRET_KEY", "$(JWT)", False),
        ("JWT_SECRET_KEY", "<generate one>", False),
        ("DATABASE_URL", "postgresql://db/api", False),
        ("JWT_SECRET_KEY", "vault:secret/data/api#jwt", False),
        ("DATABASE_URL", "postgresql://$(USER):$(PASSWORD)@db/api", False),
    ],
)
def test_a_secret_is_told_from_what_sounds_like_one(name: str, value: str, told: bool) -> None:  # noqa: FBT001
    assert gives_away(name, value) == told


def parts(*names: str, built: str = "", **images: str) -> dict[str, str]:
    found: dict[str, dict[str, str]] = {name: {} for name in names}
    found |= {name.replace("_", "-"): {"image": image} for name, image in images.items()}
    found.setdefault(built, {})["build"] = "."
    return kinds(found)


def test_a_compose_file_may_call_its_api_backend() -> None:
    found = parts("redis", "grafana", built="backend", litellm="ghcr.io/berriai/litellm:v1", db="postgres:17")

    assert found["API"] == "backend"
    assert found["backend"] == "litellm"
    assert found["PostgreSQL"] == "db"


@pytest.mark.parametrize("api", ["api", "llm-api", "model-gateway", "inference", "gateway-1"])
def test_an_api_is_the_one_that_is_built(api: str) -> None:
    found = parts("redis-exporter", "redis", "mock-llm", built=api)

    assert (found["API"], found["backend"], found["Redis"]) == (api, "mock-llm", "redis")


def test_two_that_are_built_are_told_apart_by_their_names() -> None:
    services = {"fake-openai": {"build": "./fake"}, "backend": {"build": "."}, "redis": {"image": "redis"}}

    found = kinds(services)

    assert (found["API"], found["backend"]) == ("backend", "fake-openai")


HOSTILE = {
    "services of lists": (
        "include: [[], {path: {}}, 1]\nservices: {api: {extends: [], build: []}, redis: {extends: {file: {}, service: []},"
        " healthcheck: []}, web: {build: {context: {}, args: 1, target: []}, healthcheck: {test: {}}}}\n"
    ),
    "a workflow of lists": (
        "on: {workflow_run: [], push: }\njobs: {a: [], b: {steps: [[], {run: [], uses: {}, if: []}], uses: []}}\n"
    ),
    "no YAML": "apiVersion: [",
    "an alias of itself": "apiVersion: v1\nkind: &a [*a]\n",
    "many aliases": "apiVersion: v1\nkind: List\nitems:\n- &a0 [x,x,x,x,x,x,x,x,x,x]\n"
    + "".join(f"- &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 9)),
    "numbers for names": "1: 2\napiVersion: 3\nkind: Deployment\nmetadata: 4\nspec: 5\n",
    "lists for tables": "apiVersion: apps/v1\nkind: Deployment\nmetadata: []\nspec: []\n",
    "a kind that is no name": 'apiVersion: v1\nkind: "a\\0b"\n',
    "a kind without end": f"apiVersion: v1\nkind: {'x' * 5000}\n",
    "a kind in another folder": "apiVersion: v1\nkind: ../../x\n",
    "null": "null\n---\nnull\n",
    "a kustomization of lists": (
        "resources: [[1]]\ntransformers: [{}]\nlabels: [[]]\nimages: [1]\nreplicas: [{name: [], count: 2}]\n"
        "patches: [{target: {kind: [], name: {}, labelSelector: []}, patch: '{$patch: delete}'}]\n"
        "patchesStrategicMerge: [[], {}]\nsecretGenerator: [{envs: [[]], env: {}, files: [{}], literals: [[]]}]\n"
    ),
    "containers of text": "apiVersion: apps/v1\nkind: Deployment\nspec: {template: {spec: {containers: [a, b]}}}\n",
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("path", [DEPLOYMENT, COMPOSE, WORKFLOW, DOCKERFILE, KUSTOMIZATION])
def test_odd_files_get_a_verdict(name: str, check: Check, path: str) -> None:
    verdict = judged(check, {**FILES, path: HOSTILE[name]})

    assert verdict.status in {"passed", "failed"}


def test_kustomizations_that_build_on_each_other_in_many_ways_are_read_once() -> None:
    depth = 40
    files = {
        f"k8s/{side}{level}/kustomization.yaml": f"resources: [../a{level + 1}, ../b{level + 1}, ../a0]\n"
        for level in range(depth)
        for side in "ab"
    }

    assert judged(checks.manifests_make_sense, {**FILES, **files}).passed


def test_values_that_double_with_every_line_stay_short() -> None:
    doubling = "ARG A=xx\n" + "ARG A=$A$A\n" * 60 + "USER $A\n"

    assert len(built(f"FROM scratch\n{doubling}").user) < 1000


def test_a_dockerfile_with_very_many_variables_is_read_in_time() -> None:
    lines = "".join(f"ARG A{number}=$A{number - 1}\n" for number in range(50_000))

    assert built(f"FROM scratch\n{lines}USER 1000\n").user == "1000"
