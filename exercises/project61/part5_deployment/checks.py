"""The checks of the deployment: its files are read, and nothing is started."""

import posixpath
from contextlib import suppress
from typing import Any

from chaos.history import File, History
from exercises.project61.part5_deployment import compose, manifests, schemas, sense, workflow
from exercises.project61.part5_deployment.project import Project
from lab import compose_file
from lab.reading import excerpt
from lab.verdict import Verdict, failed, passed

READY = ("/health/detailed", "/health/ready", "/ready", "/readyz")
SHOWN = 3
RENDER = "add the output of `helm template`"


def image_is_safe(deployment_files: History) -> Verdict:
    expected = "a Dockerfile whose last stage has a USER other than root, no secret, and a health check"
    project = Project.of(deployment_files)
    file = project.dockerfile()
    if file is None:
        return failed(expected, "there is no Dockerfile of the API")
    made = project.image(file, project.shipped_api)
    is_checked = compose.has_health_check({}, made.healthcheck) or compose.has_health_check(project.api, "")
    wrong = [
        *(["it runs as root"] if made.is_roots else []),
        *(f"it holds a secret ({secret})" for secret in made.secrets),
        *([] if is_checked else ["nothing asks for its health"]),
    ]
    if wrong:
        return failed(expected, f"{file.path}: {', '.join(wrong[:SHOWN])}", file)
    return passed(f"{file.path} runs as {made.user}, without secrets, and its health is asked", file)


def compose_is_complete(deployment_files: History) -> Verdict:
    parts = ("API", *compose.SERVICES)
    expected = f"a valid compose file with {', '.join(parts)}, each with a health check"
    project = Project.of(deployment_files)
    file = project.file
    if file is None:
        return failed(expected, f"there is no {compose.NAMES[0]}")
    try:
        wrong = (
            project.problem
            or schemas.problem(compose_file.load(file.text), "compose-spec")
            or _repeated(file)
            or "; ".join(project.dangling()[:SHOWN])
        )
    except ValueError as error:
        wrong = str(error)
    if wrong:
        return failed(expected, f"{file.path}: {wrong}", file)
    known = compose.kinds(project.services)
    if missing := [part for part in parts if part not in known]:
        return failed(expected, f"{file.path} has no {', no '.join(missing)}", file)
    if unchecked := [part for part, name in known.items() if not project.is_checked(name)]:
        return failed(expected, f"nothing asks for the health of {', '.join(unchecked)}", file)
    return passed(f"{file.path} has all {len(parts)}, and asks for their health", file)


def manifests_are_valid(deployment_files: History) -> Verdict:
    expected = "Kubernetes manifests that fit the schemas of their version"
    try:
        found = _manifests(deployment_files)
    except ValueError as error:
        return failed(expected, str(error))
    repeated = (f"{file.path}: {key}" for file in found.files if (key := _repeated(file)))
    if wrong := [*schemas.kubernetes_problems(found.objects), *repeated]:
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
    apis = [(one, api) for one in found.deployments for api in one.apis(alive, READY)]
    if not apis:
        outside = f" outside of Helm's templates; {RENDER}" if found.has_chart else ""
        return failed(expected, f"there is no Deployment of the API{outside}")
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
        if wrong := schemas.problem(one, "github-workflows") or _repeated(file):
            return failed(expected, f"{file.path}: {wrong}", file)
        loaded[file.path] = one
    running, actions = workflow.run_on_changes(loaded), _actions(deployment_files)
    ignores = any(workflow.ignores_tests(one, actions) for one in running)
    seen = {
        "runs on push or pull requests": bool(running),
        f"runs the tests{' and fails where they fail' if ignores else ''}": any(
            workflow.tests(one, actions) for one in running
        ),
        "builds the image": any(workflow.builds(one, actions) for one in running),
    }
    if missing := [what for what, done in seen.items() if not done]:
        return failed(expected, f"none {' and '.join(missing)}", *files[:SHOWN])
    return passed(f"{len(files)} valid; tests and builds on changes", *files[:SHOWN])


def _repeated(file: File) -> str:
    """Say which key a mapping of a YAML file has twice; an empty string for none."""
    key = compose_file.repeated_key(file.text)
    return f"a mapping has {excerpt(key)} twice" if key else ""


def _actions(history: History) -> dict[str, dict[str, Any]]:
    """Return the composite actions of the repository, by their folders."""
    found: dict[str, dict[str, Any]] = {}
    for file in history.of(File):
        if posixpath.basename(file.path) in {"action.yml", "action.yaml"}:
            with suppress(ValueError):
                found[posixpath.dirname(file.path) or "."] = workflow.load(file.text)
    return found


def _manifests(history: History) -> manifests.Manifests:
    """Return the manifests. Raises ValueError where one is no YAML, or there is none."""
    found = manifests.read(history.of(File))
    if found.objects:
        return found
    if found.has_chart:
        raise ValueError(f"there are templates of Helm's alone; {RENDER}")
    raise ValueError("there are no Kubernetes manifests")
