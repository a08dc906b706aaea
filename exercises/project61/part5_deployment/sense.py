"""Rules for the Deployment of an API: what it takes to survive restarts, evictions and a bad start."""

import base64
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from exercises.project61.part5_deployment.manifests import (
    Manifests,
    are_together,
    containers,
    name,
    pod,
    probe_path,
    serving,
)
from exercises.project61.part5_deployment.secrets import gives_away, is_in_clear
from exercises.project61.values import Object, listed, table

LEAST_GRACE_SECONDS = 30
"""So long a service may take to drain; the grace period has to be longer."""
LEAST_REPLICAS = 2
_AUTOSCALERS = (
    ("HorizontalPodAutoscaler", "minReplicas", 1.0),
    ("ScaledObject", "minReplicaCount", 0.0),
)
"""The kinds of autoscalers, the field with the number of replicas that each keeps, and its default."""

_NO_VERSIONS = frozenset(
    {
        *("latest", "stable", "edge", "nightly", "canary", "release"),
        *("current", "next", "snapshot", "rolling"),
        *("main", "master", "trunk", "dev", "develop", "development", "head"),
        *("test", "testing", "stage", "staging", "prod", "production", "qa", "uat", "local"),
    }
)
"""Words of tags that name a channel, a branch or an environment: what they are given to changes."""
_PERCENT = re.compile(r"(\d{1,4})%")
_WORDS = re.compile(r"[-_.]")
_WORKLOADS = ("Deployment", "StatefulSet")
_NO_SECRETS = re.compile(r"(?:^|[_.-])(?:user|username|db|database|name|host|port)$", re.IGNORECASE)
"""What Secrets hold beside what is secret."""


def problems(manifests: Manifests, api: Object, *, alive: str, ready: tuple[str, ...]) -> Iterator[str]:
    """Yield what is wrong with the API's Deployment, in words for whoever wrote it.

    `alive` is the path that tells that the service lives, `ready` those that tell whether its dependencies do.
    """
    container = serving(api, (alive, *ready))
    if not container:
        yield "its pods have no container"
        return
    yield from _probes(container, alive, ready)
    yield from _grace(api, container)
    yield from _resources(api, container)
    yield from _replicas(manifests, api)
    yield from _user(api, container)
    yield from _pinned(manifests, container)
    yield from _variables_in_clear(manifests, api)
    yield from _secrets(manifests)


def _probes(container: Object, alive: str, ready: tuple[str, ...]) -> Iterator[str]:
    asked = {kind: probe_path(container, kind) for kind in ("liveness", "readiness")}
    if asked["liveness"] != alive:
        yield f"livenessProbe asks {asked['liveness'] or 'nothing'}, not GET {alive}"
    if asked["readiness"] not in ready:
        yield f"readinessProbe asks {asked['readiness'] or 'nothing'}, not GET {' or '.join(ready)}"
    ports = {table(one).get("name") for one in listed(container.get("ports"))}
    for kind in asked:
        port = table(table(container.get(f"{kind}Probe")).get("httpGet")).get("port")
        if isinstance(port, str) and not port.isdecimal() and port not in ports:
            yield f"{kind}Probe asks at the port {port}, which the container does not have"


def _grace(api: Object, container: Object) -> Iterator[str]:
    grace = _number(pod(api).get("terminationGracePeriodSeconds"), 30.0)
    hook = table(table(container.get("lifecycle")).get("preStop"))
    slept = _number(table(hook.get("sleep")).get("seconds"), 0.0)
    command = " ".join(map(str, listed(table(hook.get("exec")).get("command"))))
    if found := re.search(r"\bsleep (\d{1,6})([mh]?)", command):
        slept = float(found[1]) * {"": 1, "m": 60, "h": 3600}[found[2]]
    if grace - slept <= LEAST_GRACE_SECONDS:
        yield (
            f"terminationGracePeriodSeconds leaves {grace - slept:g} s after SIGTERM,"
            f" and the drain may take {LEAST_GRACE_SECONDS}"
        )


def _resources(api: Object, container: Object) -> Iterator[str]:
    """Yield what is set neither for the container nor for its pod. Kubernetes takes a limit for a missing request, too."""
    given = [table(one.get("resources")) for one in (container, pod(api))]
    limits = {name for one in given for name, value in table(one.get("limits")).items() if value}
    requests = {name for one in given for name, value in table(one.get("requests")).items() if value}
    for kind, of, known in (
        ("requests", "cpu", requests | limits),
        ("requests", "memory", requests | limits),
        ("limits", "memory", limits),
    ):
        if of not in known:
            yield f"resources.{kind}.{of} is not set"


def _replicas(manifests: Manifests, api: Object) -> Iterator[str]:
    spec = table(api.get("spec"))
    scaled = [
        _number(table(one.get("spec")).get(least), default)
        for kind, least, default in _AUTOSCALERS
        for one in manifests.of(kind)
        if _scales(one, api)
    ]
    kept = min(scaled, default=_number(spec.get("replicas"), 1.0))
    if kept < LEAST_REPLICAS:
        yield f"fewer than {LEAST_REPLICAS} replicas"
    labels = table(table(table(spec.get("template")).get("metadata")).get("labels"))
    budgets = [
        one for one in manifests.of("PodDisruptionBudget") if _selects(one, labels) and are_together(one, api)
    ]
    if not budgets:
        yield "no PodDisruptionBudget selects its pods"
    elif not any(_keeps_one(one, max(kept, LEAST_REPLICAS)) for one in budgets):
        yield "its PodDisruptionBudget lets all of its pods be evicted at once"


def _scales(autoscaler: Object, api: Object) -> bool:
    target = table(table(autoscaler.get("spec")).get("scaleTargetRef"))
    is_deployment = target.get("kind", "Deployment") == "Deployment"
    return is_deployment and target.get("name") == name(api) and are_together(autoscaler, api)


def _keeps_one(budget: Object, replicas: float) -> bool:
    """Whether a budget keeps one of the replicas. Kubernetes rounds shares up, of those that go as well."""
    spec = table(budget.get("spec"))
    going = spec.get("maxUnavailable", 0)
    share = _PERCENT.fullmatch(str(going))
    gone = math.ceil(replicas * int(share[1]) / 100) if share else _number(going, 0.0)
    return str(spec.get("minAvailable")) not in {"0", "0%"} and gone < replicas


def _selects(budget: Object, labels: Object) -> bool:
    """Whether a budget is for pods with these labels. An empty selector is for all pods, a missing one for none."""
    given = table(budget.get("spec")).get("selector")
    selector = table(given)
    wanted, rules = table(selector.get("matchLabels")), listed(selector.get("matchExpressions"))
    return (
        isinstance(given, dict)
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
    if "@sha256:" not in image and _NO_VERSIONS.issuperset(_WORDS.split(tag.lower()) if tag else ()):
        yield f"the image {image or '(none)'} is not pinned to a version"


def _variables_in_clear(manifests: Manifests, api: Object) -> Iterator[str]:
    for key, value in _variables(api):
        if is_in_clear(key, value):
            yield f"{key} stands in clear in the Deployment"
    others = [one for kind in _WORKLOADS for one in manifests.in_repository(kind) if one is not api]
    for one in others:
        for key, value in _variables(one):
            if gives_away(key, value):
                yield f"{key} stands in clear in the {one['kind']} {name(one)}"


def _secrets(manifests: Manifests) -> Iterator[str]:
    for one in manifests.in_repository("ConfigMap"):
        for key, value in _settings(one):
            if gives_away(key, value):
                yield f"{key} stands in clear in the ConfigMap {name(one)}"
    for one in manifests.in_repository("Secret"):
        if any(_is_told(str(key), value) for key, value in _values(one).items()):
            yield f"the Secret {name(one)} is in the repository with its values"


def _variables(workload: Object) -> Iterator[tuple[str, str]]:
    """Yield the variables of a workload's containers, with the values that stand there."""
    for container in containers(workload, "initContainers"):
        for variable in map(table, listed(container.get("env"))):
            yield str(variable.get("name") or ""), str(variable.get("value") or "")


def _settings(config: Object) -> Iterator[tuple[str, str]]:
    """Yield what a ConfigMap holds, and the variables in files of them."""
    for key, value in table(config.get("data")).items():
        yield str(key), str(value or "")
        if str(key).endswith(".env"):
            pairs = (line.partition("=") for line in str(value or "").splitlines() if "=" in line)
            yield from ((variable.strip(), given.strip()) for variable, _, given in pairs)


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
