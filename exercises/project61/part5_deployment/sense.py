"""Rules for the Deployment of an API: what it takes to survive restarts, evictions and a bad start."""

import base64
import re
from collections.abc import Iterator, Mapping
from typing import Any

from exercises.project61.part5_deployment.manifests import (
    Manifests,
    containers,
    name,
    pod,
    probe_path,
    serving,
)
from exercises.project61.part5_deployment.secrets import gives_away, is_in_clear
from exercises.project61.part5_deployment.values import Object, listed, table

LEAST_GRACE_SECONDS = 30
"""So long a service may take to drain; the grace period has to be longer."""
LEAST_REPLICAS = 2

_NO_VERSIONS = frozenset(
    {
        *("latest", "stable", "edge", "nightly", "canary", "release", "current"),
        *("main", "master", "trunk", "dev", "develop", "development"),
        *("test", "testing", "stage", "staging", "prod", "production"),
    }
)
"""Tags that name a channel, a branch or an environment: what they are given to changes."""
_NO_SECRETS = re.compile(r"(?:^|[_.-])(?:user|username|db|database|name|host|port)$", re.IGNORECASE)
"""What Secrets hold beside what is secret."""


def problems(manifests: Manifests, api: Object, *, alive: str, ready: tuple[str, ...]) -> Iterator[str]:
    """Yield what is wrong with the API's Deployment, in words for whoever wrote it.

    `alive` is the path that tells that the service lives, `ready` those that tell whether its dependencies do.
    """
    container = serving(api)
    if not container:
        yield "its pods have no container"
        return
    yield from _probes(container, alive, ready)
    yield from _grace(api, container)
    yield from _resources(container)
    yield from _replicas(manifests, api)
    yield from _user(api, container)
    yield from _pinned(manifests, container)
    yield from _secrets(manifests, api)


def _probes(container: Object, alive: str, ready: tuple[str, ...]) -> Iterator[str]:
    asked = {kind: probe_path(container, kind) for kind in ("liveness", "readiness")}
    if asked["liveness"] != alive:
        yield f"livenessProbe asks {asked['liveness'] or 'nothing'}, not GET {alive}"
    if asked["readiness"] not in ready:
        yield f"readinessProbe asks {asked['readiness'] or 'nothing'}, not GET {' or '.join(ready)}"


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
    for kind, of in (("requests", "cpu"), ("requests", "memory"), ("limits", "memory")):
        if not table(resources.get(kind)).get(of):
            yield f"resources.{kind}.{of} is not set"


def _replicas(manifests: Manifests, api: Object) -> Iterator[str]:
    spec = table(api.get("spec"))
    scaled = [
        _number(table(one.get("spec")).get("minReplicas"), 1.0)
        for one in manifests.of("HorizontalPodAutoscaler")
        if table(table(one.get("spec")).get("scaleTargetRef")).get("name") == name(api)
    ]
    if max([_number(spec.get("replicas"), 1.0), *scaled]) < LEAST_REPLICAS or (
        scaled and min(scaled) < LEAST_REPLICAS
    ):
        yield f"fewer than {LEAST_REPLICAS} replicas"
    labels = table(table(table(spec.get("template")).get("metadata")).get("labels"))
    if not any(_selects(one, labels) for one in manifests.of("PodDisruptionBudget")):
        yield "no PodDisruptionBudget selects its pods"


def _selects(budget: Object, labels: Object) -> bool:
    selector = table(table(budget.get("spec")).get("selector"))
    wanted, rules = table(selector.get("matchLabels")), listed(selector.get("matchExpressions"))
    return (
        bool(wanted or rules)
        and all(labels.get(key) == value for key, value in wanted.items())
        and all(_fits(rule, labels) for rule in map(table, rules))
    )


def _fits(rule: Object, labels: Object) -> bool:
    """Whether labels fit a rule of `matchExpressions`."""
    key, values = str(rule.get("key")), listed(rule.get("values"))
    return {
        "In": labels.get(key) in values,
        "NotIn": labels.get(key) not in values,
        "Exists": key in labels,
        "DoesNotExist": key not in labels,
    }.get(str(rule.get("operator")), False)


def _user(api: Object, container: Object) -> Iterator[str]:
    own, shared = table(container.get("securityContext")), table(pod(api).get("securityContext"))
    context = {**shared, **own}
    user = context.get("runAsUser")
    if user == 0 or (context.get("runAsNonRoot") is not True and not user):
        yield "it may run as root: securityContext.runAsNonRoot is not set"


def _pinned(manifests: Manifests, container: Object) -> Iterator[str]:
    image = manifests.image(container)
    tag = image.rpartition("/")[2].partition(":")[2]
    if "@sha256:" not in image and (not tag or tag.lower() in _NO_VERSIONS):
        yield f"the image {image or '(none)'} is not pinned to a version"


def _secrets(manifests: Manifests, api: Object) -> Iterator[str]:
    for container in containers(api):
        for variable in map(table, listed(container.get("env"))):
            key, value = str(variable.get("name") or ""), str(variable.get("value") or "")
            if is_in_clear(key, value):
                yield f"{key} stands in clear in the Deployment"
    for one in manifests.in_repository("ConfigMap"):
        for key, value in table(one.get("data")).items():
            if gives_away(str(key), str(value or "")):
                yield f"{key} stands in clear in the ConfigMap {name(one)}"
    for one in manifests.in_repository("Secret"):
        if any(_is_told(str(key), value) for key, value in _values(one).items()):
            yield f"the Secret {name(one)} is in the repository with its values"


def _values(secret: Object) -> Mapping[str, str]:
    """Return what a Secret holds, decoded."""
    decoded = {key: _decoded(str(value or "")) for key, value in table(secret.get("data")).items()}
    return {**decoded, **{key: str(value or "") for key, value in table(secret.get("stringData")).items()}}


def _decoded(value: str) -> str:
    try:
        return base64.b64decode(value, validate=True).decode()
    except ValueError:
        return value


def _is_told(key: str, value: str) -> bool:
    """Whether a value of a Secret's is told; all that it holds is secret, but for what names whom and where."""
    if "://" in value:
        return gives_away("url", value)
    return not _NO_SECRETS.search(key) and gives_away("secret", value)


def _number(value: Any, default: float) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else default
