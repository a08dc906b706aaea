"""The checks of the deployment: its files are read, and nothing is started."""

import posixpath
from collections.abc import Mapping
from typing import Any

from chaos.history import File, History
from exercises.project61.part5_deployment import compose, image, manifests, schemas, sense, workflow
from lab import compose_file
from lab.verdict import Verdict, failed, passed

READY = ("/health/detailed", "/health/ready", "/ready", "/readyz")
SHOWN = 3


def image_is_safe(deployment_files: History) -> Verdict:
    expected = "a Dockerfile whose last stage has a USER other than root, no secret, and a health check"
    file = _dockerfile(deployment_files)
    if file is None:
        return failed(expected, "there is no Dockerfile of the API")
    made = image.last_stage(file.text, compose.build_arguments(_api(deployment_files) or {}))
    wrong = [
        *(["it runs as root"] if made.is_roots else []),
        *(f"it holds a secret ({secret})" for secret in made.secrets),
        *([] if made.healthcheck or _api_is_checked(deployment_files) else ["nothing asks for its health"]),
    ]
    if wrong:
        return failed(expected, f"{file.path}: {', '.join(wrong[:SHOWN])}", file)
    return passed(f"{file.path} runs as {made.user}, without secrets, and its health is asked", file)


def compose_is_complete(deployment_files: History) -> Verdict:
    parts = ("API", *compose.SERVICES)
    expected = f"a valid compose file with {', '.join(parts)}, each with a health check"
    file = _compose_file(deployment_files)
    if file is None:
        return failed(expected, f"there is no {compose.NAMES[0]}")
    try:
        services = compose.services(file.text)
        wrong = schemas.problem(compose_file.load(file.text), "compose-spec")
    except ValueError as error:
        return failed(expected, f"{file.path}: {error}", file)
    if wrong:
        return failed(expected, f"{file.path}: {wrong}", file)
    known = compose.kinds(services)
    if missing := [part for part in parts if part not in known]:
        return failed(expected, f"{file.path} has no {', no '.join(missing)}", file)
    dockerfile = _dockerfile(deployment_files)
    api_image = image.last_stage(dockerfile.text if dockerfile else "")
    unchecked = [
        part
        for part, name in known.items()
        if not compose.has_health_check(services[name]) and not (part == "API" and api_image.healthcheck)
    ]
    if unchecked:
        return failed(expected, f"nothing asks for the health of {', '.join(unchecked)}", file)
    return passed(f"{file.path} has all {len(parts)}, and asks for their health", file)


def manifests_are_valid(deployment_files: History) -> Verdict:
    expected = "Kubernetes manifests that fit the schemas of their version"
    try:
        found = _manifests(deployment_files)
    except ValueError as error:
        return failed(expected, str(error))
    if wrong := list(schemas.kubernetes_problems(found.objects)):
        return failed(expected, "; ".join(wrong[:SHOWN]))
    return passed(f"{len(found.objects)} objects are valid")


def manifests_make_sense(deployment_files: History) -> Verdict:
    expected = "a Deployment of the API that survives restarts, evictions and a bad start"
    try:
        found = _manifests(deployment_files)
    except ValueError as error:
        return failed(expected, str(error))
    alive = deployment_files.contract.endpoints["alive"]
    # An overlay for a developer's machine may have one replica; one of them has to be fit for production.
    apis = [(one, api) for one in found.deployments if (api := one.api((alive, *READY)))]
    if not apis:
        return failed(expected, "there is no Deployment of the API")
    judged = ((list(sense.problems(one, api, alive=alive, ready=READY)), one.origin) for one, api in apis)
    wrong, origin = min(judged, key=lambda one: (len(one[0]), "prod" not in one[1]))
    if wrong:
        place = f"{origin}: " if len(apis) > 1 and origin else ""
        return failed(expected, place + "; ".join(wrong[:SHOWN]))
    return passed("probes, grace period, replicas, budget, resources, user, image and secrets are right")


def workflow_tests_and_builds(deployment_files: History) -> Verdict:
    expected = "a valid workflow in .github/workflows that tests and builds on push"
    files = [file for file in deployment_files.of(File) if file.path.startswith(".github/workflows/")]
    if not files:
        return failed(expected, "there is none")
    loaded: dict[str, dict[str, Any]] = {}
    for file in files:
        try:
            one = workflow.load(file.text)
        except ValueError as error:
            return failed(expected, f"{file.path}: {error}", file)
        if wrong := schemas.problem(one, "github-workflows"):
            return failed(expected, f"{file.path}: {wrong}", file)
        loaded[file.path] = one
    running = workflow.run_on_changes(loaded)
    seen = {
        "runs on push or pull requests": bool(running),
        "runs the tests": any(map(workflow.tests, running)),
        "builds the image": any(map(workflow.builds, running)),
    }
    if missing := [what for what, done in seen.items() if not done]:
        return failed(expected, f"none {' and '.join(missing)}", *files[:SHOWN])
    return passed(f"{len(files)} valid; tests and builds on changes", *files[:SHOWN])


def _manifests(history: History) -> manifests.Manifests:
    """Return the manifests. Raises ValueError where one is no YAML, or there is none."""
    found = manifests.read(
        [
            file
            for file in history.of(File)
            if file.path.endswith((".yml", ".yaml", "Kustomization")) and not file.path.startswith(".github/")
        ]
    )
    if found.objects:
        return found
    if found.has_chart:
        raise ValueError("there are templates of Helm's alone; add what `helm template` makes of them")
    raise ValueError("there are no Kubernetes manifests")


def _dockerfile(history: History) -> File | None:
    """Return the Dockerfile of the API: what the compose file builds it from, else the one that lies highest."""
    api = _api(history)
    build = api.get("build") if api else None
    table = build if isinstance(build, dict) else {"context": build} if isinstance(build, str) else {}
    if table:
        path = posixpath.join(str(table.get("context") or "."), str(table.get("dockerfile") or "Dockerfile"))
        if named := history.file(posixpath.normpath(path)):
            return named
    found = [file for file in history.of(File) if file.path.rpartition("/")[2] == "Dockerfile"]
    return min(found, key=lambda one: (one.path.count("/"), one.path), default=None)


def _compose_file(history: History) -> File | None:
    return next((file for name in compose.NAMES if (file := history.file(name))), None)


def _api(history: History) -> Mapping[str, Any] | None:
    """Return the entry of the API in the compose file; None where it cannot be told."""
    file = _compose_file(history)
    try:
        services = compose.services(file.text) if file else {}
    except ValueError:
        return None
    return services.get(compose.kinds(services).get("API", ""))


def _api_is_checked(history: History) -> bool:
    api = _api(history)
    return api is not None and compose.has_health_check(api)
