"""The checks of a deployment, on the files of this repository and on what a small change makes of them."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from chaos.contract import Contract
from chaos.history import Began, File, History
from exercises.project61.part5_deployment import checks, workflow
from exercises.project61.part5_deployment.compose import kinds
from exercises.project61.part5_deployment.experiments import FOLDERS, PATTERNS
from exercises.project61.part5_deployment.image import last_stage
from exercises.project61.part5_deployment.secrets import gives_away
from lab.verdict import Verdict

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
ONE_REPLICA = [
    (DEPLOYMENT, "replicas: 2", "replicas: 1"),
    ("deploy/kubernetes/base/autoscaler.yaml", "minReplicas: 2", "minReplicas: 1"),
]
NEW_NAME = "images: [{name: api, newName: ghcr.io/example/llm-api}]\nresources:\n"
BY_PATCH = "patches:\n  - path: replicas.yaml\n  - target: {kind: Deployment, name: llm-api}\n    patch: |-\n"

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
    "a user that cannot be told": (
        checks.image_is_safe,
        [(DOCKERFILE, "USER api\n", "ARG RUN_AS\nUSER ${RUN_AS}\n")],
        {},
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
    ],
)
def test_commands_that_run_tests(command: str) -> None:
    assert workflow.tests({"jobs": {"test": {"steps": [{"run": command}]}}})


@pytest.mark.parametrize(
    "command", ["npm ci", "npm run build", "npm install --save-dev test-tools", "node server.js"]
)
def test_commands_that_run_none(command: str) -> None:
    assert not workflow.tests({"jobs": {"test": {"steps": [{"run": command}]}}})


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
        ("MAX_TOKENS", "512", False),
        ("JWT_PUBLIC_KEY", "MIIB", False),
        ("API_KEY_HEADER", "X-API-Key", False),
        ("ALLOW_EMPTY_PASSWORD", "yes", False),
        ("JWT_SECRET_KEY", "${JWT_SECRET_KEY}", False),
        ("JWT_SECRET_KEY", "$(JWT)", False),
        ("JWT_SECRET_KEY", "<generate one>", False),
        ("DATABASE_URL", "postgresql://db/api", False),
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
    "containers of text": "apiVersion: apps/v1\nkind: Deployment\nspec: {template: {spec: {containers: [a, b]}}}\n",
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("path", [DEPLOYMENT, COMPOSE, WORKFLOW, DOCKERFILE])
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

    assert len(last_stage(f"FROM scratch\n{doubling}").user) < 1000


def test_a_dockerfile_with_very_many_variables_is_read_in_time() -> None:
    lines = "".join(f"ARG A{number}=$A{number - 1}\n" for number in range(50_000))

    assert last_stage(f"FROM scratch\n{lines}USER 1000\n").user == "1000"
