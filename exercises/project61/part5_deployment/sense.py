"""Rules for the Deployment of an API: what it takes to survive restarts, evictions and a bad start."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from exercises.project61.part5_deployment.manifests import Manifests, Object, containers, listed, pod, table

LEAST_GRACE_SECONDS = 30
"""So long a service may take to drain; the grace period has to be longer."""
LEAST_REPLICAS = 2

_SECRET = re.compile(
    r"KEY$|SECRET|TOKEN|PASSWORD|PASSWD|CREDENTIAL|DATABASE_URL|BOOTSTRAP_USERS", re.IGNORECASE
)
_PLACEHOLDER = re.compile(r"change|replace|your|example|placeholder|<|\$\{|todo|xxx", re.IGNORECASE)


def problems(manifests: Manifests, api: Object, *, alive: str, ready: tuple[str, ...]) -> Iterator[str]:
    """Yield what is wrong with the API's Deployment, in words for whoever wrote it.

    `alive` is the path that tells that the service lives, `ready` those that tell whether its dependencies do.
    """
    serving = containers(api)[:1]
    if not serving:
        yield "its pods have no container"
        return
    container = serving[0]
    yield from _probes(container, alive, ready)
    yield from _grace(api, container)
    yield from _resources(container)
    yield from _replicas(manifests, api)
    yield from _user(api, container)
    yield from _pinned(manifests, container)
    yield from _secrets(manifests, api)


def _probes(container: Object, alive: str, ready: tuple[str, ...]) -> Iterator[str]:
    asked = {kind: _path(container.get(f"{kind}Probe")) for kind in ("liveness", "readiness")}
    if asked["liveness"] != alive:
        yield f"livenessProbe asks {asked['liveness'] or 'nothing'}, not GET {alive}"
    if asked["readiness"] not in ready:
        yield f"readinessProbe asks {asked['readiness'] or 'nothing'}, not GET {' or '.join(ready)}"


def _path(probe: Any) -> str:
    return str(table(table(probe).get("httpGet")).get("path") or "")


def _grace(api: Object, container: Object) -> Iterator[str]:
    grace = _number(pod(api).get("terminationGracePeriodSeconds"), 30.0)
    hook = table(table(container.get("lifecycle")).get("preStop"))
    slept = _number(table(hook.get("sleep")).get("seconds"), 0.0)
    command = " ".join(map(str, listed(table(hook.get("exec")).get("command"))))
    if found := re.search(r"\bsleep (\d+)", command):
        slept = float(found[1])
    if grace - slept <= LEAST_GRACE_SECONDS:
        yield (
            f"terminationGracePeriodSeconds leaves {grace - slept:g} s after SIGTERM,"
            f" and the drain may take {LEAST_GRACE_SECONDS}"
        )


def _resources(container: Object) -> Iterator[str]:
    resources = table(container.get("resources"))
    for kind, name in (("requests", "cpu"), ("requests", "memory"), ("limits", "memory")):
        if not table(resources.get(kind)).get(name):
            yield f"resources.{kind}.{name} is not set"


def _replicas(manifests: Manifests, api: Object) -> Iterator[str]:
    spec = table(api.get("spec"))
    scaled = [
        _number(table(one.get("spec")).get("minReplicas"), 1.0)
        for one in manifests.of("HorizontalPodAutoscaler")
        if table(table(one.get("spec")).get("scaleTargetRef")).get("name") == _name(api)
    ]
    if max([_number(spec.get("replicas"), 1.0), *scaled]) < LEAST_REPLICAS or (
        scaled and min(scaled) < LEAST_REPLICAS
    ):
        yield f"fewer than {LEAST_REPLICAS} replicas"
    labels = table(table(table(spec.get("template")).get("metadata")).get("labels"))
    if not any(_selects(one, labels) for one in manifests.of("PodDisruptionBudget")):
        yield "no PodDisruptionBudget selects its pods"


def _selects(budget: Object, labels: Object) -> bool:
    wanted = table(table(table(budget.get("spec")).get("selector")).get("matchLabels"))
    return bool(wanted) and all(labels.get(name) == value for name, value in wanted.items())


def _user(api: Object, container: Object) -> Iterator[str]:
    own, shared = table(container.get("securityContext")), table(pod(api).get("securityContext"))
    context = {**shared, **own}
    user = context.get("runAsUser")
    if user == 0 or (context.get("runAsNonRoot") is not True and not user):
        yield "it may run as root: securityContext.runAsNonRoot is not set"


def _pinned(manifests: Manifests, container: Object) -> Iterator[str]:
    image = manifests.image(container)
    tag = image.rpartition("/")[2].partition(":")[2]
    if "@sha256:" not in image and (not tag or tag in {"latest", "main", "master", "stable", "edge"}):
        yield f"the image {image or '(none)'} is not pinned to a version"


def _secrets(manifests: Manifests, api: Object) -> Iterator[str]:
    for container in containers(api):
        for variable in map(table, listed(container.get("env"))):
            name, value = str(variable.get("name") or ""), variable.get("value")
            if value and _SECRET.search(name) and not re.fullmatch(r"\$\(\w+\)", str(value)):
                yield f"{name} stands in clear in the Deployment"
    for one in manifests.of("ConfigMap"):
        for name, value in table(one.get("data")).items():
            if value and _SECRET.search(name) and not _PLACEHOLDER.search(str(value)):
                yield f"{name} stands in clear in the ConfigMap {_name(one)}"
    for one in manifests.of("Secret"):
        values: Mapping[str, Any] = {**table(one.get("data")), **table(one.get("stringData"))}
        if any(value and not _PLACEHOLDER.search(str(value)) for value in values.values()):
            yield f"the Secret {_name(one)} is in the repository with its values"


def _name(one: Object) -> str:
    return str(table(one.get("metadata")).get("name") or "")


def _number(value: Any, default: float) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else default
