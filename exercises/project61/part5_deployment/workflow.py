"""Reads CI workflows of GitHub Actions: when they run, and whether they test and build."""

import re
from collections.abc import Iterator
from typing import Any

from lab import compose_file

_TESTS = re.compile(
    r"\bpytest\b|\bnpm (?:run )?test\b|\bnpx (?:jest|vitest)\b|\bmake (?:test|check)\b|\bmise run test|\btox\b|\bnox\b"
)
_BUILDS = re.compile(
    r"\bdocker (?:buildx )?build\b|\bdocker[ -]compose\b.* build\b|\bbuildah\b|\bkaniko\b|\bmake image"
)
_BUILDING_ACTIONS = ("docker/build-push-action", "docker/bake-action", "redhat-actions/buildah-build")


def load(text: str) -> dict[str, Any]:
    """Return a workflow with its triggers under `on`, which YAML 1.1 takes for true. Raises ValueError for no YAML."""
    content = compose_file.load(text)
    if not isinstance(content, dict):
        raise ValueError("it is no mapping")  # noqa: TRY004 - what the file holds is its author's mistake
    return {"on" if name is True else str(name): value for name, value in content.items()}


def runs_on_changes(workflow: dict[str, Any]) -> bool:
    """Whether a push or a pull request starts it."""
    triggers = workflow.get("on")
    named = [triggers] if isinstance(triggers, str) else list(triggers or ())
    return not {"push", "pull_request"}.isdisjoint(map(str, named))


def tests(workflow: dict[str, Any]) -> bool:
    return any(_TESTS.search(command) for command in _commands(workflow))


def builds(workflow: dict[str, Any]) -> bool:
    actions = [str(step.get("uses") or "") for step in _steps(workflow)]
    return any(_BUILDS.search(command) for command in _commands(workflow)) or any(
        action.startswith(_BUILDING_ACTIONS) for action in actions
    )


def _commands(workflow: dict[str, Any]) -> Iterator[str]:
    for step in _steps(workflow):
        for line in str(step.get("run") or "").splitlines():
            if not line.strip().startswith("#"):
                yield line[:1_000]


def _steps(workflow: dict[str, Any]) -> Iterator[dict[str, Any]]:
    jobs = workflow.get("jobs")
    for job in jobs.values() if isinstance(jobs, dict) else ():
        steps = job.get("steps") if isinstance(job, dict) else None
        yield from (step for step in steps or () if isinstance(step, dict))
