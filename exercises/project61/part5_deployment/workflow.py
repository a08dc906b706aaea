"""Reads CI workflows of GitHub Actions: when they run, and whether they test and build."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from lab import compose_file

_TESTS = re.compile(
    r"\bpytest\b|\bunittest\b|\b(?:npm|pnpm|yarn|bun)(?: -\S+)* (?:run(?:-script)? )?(?:-\S+ )*t(?:est)?\b"
    r"|\b(?:npx|pnpm|pnpm exec|yarn|npm exec) (?:-\S+ )*(?:jest|vitest|mocha)\b|\b(?:node|tsx) (?:\S+ )*--test\b"
    r"|\b(?:make|just|task) \S*(?:test|check|ci)\b|\bmise (?:run )?\S*test|\btox\b|\bnox\b|\bhatch test\b"
)
_BUILDS = re.compile(
    r"\b(?:docker|podman|nerdctl) (?:buildx |image )?(?:build|bake)\b|\bdocker[ -]compose\b.* (?:build\b|--build\b)"
    r"|\bbuildah\b|\bkaniko\b|\bpack build\b|\b(?:make|just|task) \S*(?:image|docker|build)"
)
_BUILDING_ACTIONS = ("docker/build-push-action", "docker/bake-action", "redhat-actions/buildah-build")


def load(text: str) -> dict[str, Any]:
    """Return a workflow with its triggers under `on`, which YAML 1.1 takes for true. Raises ValueError for no YAML."""
    content = compose_file.load(text)
    if not isinstance(content, dict):
        raise ValueError("it is no mapping")  # noqa: TRY004 - what the file holds is its author's mistake
    return {"on" if name is True else str(name): value for name, value in content.items()}


def run_on_changes(workflows: Mapping[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the workflows that a push or a pull request starts, and those of the repository that these call."""
    started = [path for path, one in workflows.items() if _starts_on_changes(one)]
    for path in started:
        called = {name.removeprefix("./") for name in _called(workflows[path])}
        started += [name for name in workflows if name in called and name not in started]
    return [workflows[path] for path in started]


def _starts_on_changes(workflow: dict[str, Any]) -> bool:
    triggers = workflow.get("on")
    named = [triggers] if isinstance(triggers, str) else list(triggers or ())
    return not {"push", "pull_request"}.isdisjoint(map(str, named))


def _called(workflow: dict[str, Any]) -> Iterator[str]:
    """Yield the paths of the reusable workflows that a workflow's jobs are."""
    jobs = workflow.get("jobs")
    for job in jobs.values() if isinstance(jobs, dict) else ():
        if isinstance(job, dict) and str(job.get("uses") or "").startswith("./"):
            yield str(job["uses"])


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
