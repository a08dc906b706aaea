"""Reads CI workflows of GitHub Actions: when they run, and whether they test and build."""

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Any

from exercises.project61.values import listed, table
from lab import compose_file

_TESTS = re.compile(
    r"\bpytest\b|\bunittest\b|\btox\b|\bnox\b|\b(?:npx|pnpm|pnpm exec|yarn|npm exec) (?:-\S+ )*(?:jest|vitest|mocha)\b"
    r"|\b(?:node|tsx) (?:\S+ )*--test\b|\bnode (?:-\S+ )*--run[ =](?:\S+:)?test\S*|\bmanage\.py test\b"
    # A task that is called test, of any program that runs tasks, with its options before it.
    r"|\b(?:npm|pnpm|yarn|bun|deno|pipenv|pdm|rye|hatch|poe|nx|turbo|inv|invoke|just|task|mise|earthly|pixi|moon|pants"
    r"|bazel|dagger call|make)(?: -\S+(?: (?!-|run\b|r\b|t\b|test|workspace)[\w@./-]+)?| (?:run|run-script|r)| workspace [\w@./-]+)*"
    r" (?:\S*:)?\+?t(?:est\S*)?(?!\S)"
    r"|\b(?:npm|pnpm|yarn|bun) run (?:\S+:)?(?:coverage|ci|verify)\b"
    r"|\b(?:make|just|task|mise run) (?:-\S+ (?:(?!-)[\w./-]+ )?)*\S*(?:test|check|ci)\b"
    r"|\bdocker (?:buildx )?build\b.* --target[ =]\S*test|\bbake (?:\S+ )*\S*test"
    r"|^(?:(?:bash|sh|python3?|node|tsx|uv run|poetry run) )?(?:[\w.-]+/)*\S*test\S*\.(?:sh|py|m?js|ts)\b"
)
_BUILDS = re.compile(
    r"\b(?:docker|podman|nerdctl|depot) (?:-\S+ (?:[\w./-]+ )?)?(?:buildx |image )?(?:build|bake)\b"
    r"|\bdocker[ -]compose\b.* (?:build\b|--build\b)|\bbuildah\b|\bkaniko\b|\bpack build\b|\bskaffold (?:build|run)\b"
    r"|\baz acr build\b|\bgcloud builds submit\b|\bearthly \S*\+\S*(?:build|image|docker)"
    r"|\b(?:make|just|task|mise run|mise r|inv|invoke|pixi run|poe) (?:-\S+ )*\S*(?:image|docker|container|build)"
    r"|\b(?:npm|pnpm|yarn|bun) run \S*(?:docker|image|container)|^(?:(?:bash|sh) )?\S*(?:image|docker|build)\S*\.sh\b"
)
_BUILDING_ACTION = re.compile(
    r"build-push|docker-build|buildah-build|bake-action|kaniko|publish-docker|build-image"
)
_IDLE = re.compile(
    r"^(?:echo|printf|which|type|command -v)\b|--(?:collect-only|co|version|help|fixtures|markers|setup-plan)\b|\s-h$"
    r"|^(?!make|just|task|mise|pytest)(?:\S+ ){1,4}?(?:install|add)\b"
)
"""Commands that name the program that runs tests, and run none."""
_FORGIVEN = re.compile(r"\|\| *[({; ]*(?:true|:|exit 0|(?:echo|printf)\b(?!.*exit [1-9$]).*)[ ;)}]*$")
_SEQUENCE = re.compile(r"&&|\|\||;")
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")
_PIPES_FAIL = re.compile(r"\bpipefail\b|PIPESTATUS")
_BLOCK = re.compile(r"\|\| *[({][^(){}]*[)}]")
"""What is done on many lines where a command fails."""
_GOES_ON = re.compile(r"^set (?:-\S+ )*\+(?:\w*e|o errexit)\b")
_STOPS = re.compile(r"^set (?:\+\S+ )*-(?:\w*e|o errexit)\b")
_HEEDS = re.compile(r"\$\?|PIPESTATUS|\bexit +[\"']?\$")
"""What a script says from where it goes on after a failure, and where it stops again, or looks how a command ended."""
_MATRIX = re.compile(r"\$\{\{ *matrix\.(?P<name>[\w-]+) *\}\}")
_MOST_VALUES = 20
"""Of a matrix, and references to it in a step."""
_LONGEST_VALUE = 100
_NEVER = re.compile(
    r"(?:\$\{\{)?\s*(?:false|github\.event_name\s*==\s*'(?:schedule|workflow_dispatch|release)')\s*(?:\}\})?",
    re.IGNORECASE,
)
"""Conditions that no push and no pull request meets."""
_COMMAND_INPUTS = ("command", "run", "runCmd", "cmd")
"""What actions call the command that they run in a container, or again if it fails."""
_MOST_NEEDS = 20
"""Jobs in a row of which each needs the one before."""
_MOST_ACTIONS = 50
"""Of the repository, in a job."""
_MOST_CHARACTERS = 1_000
"""Of a command that is read."""

Actions = Mapping[str, Mapping[str, Any]]
"""The composite actions of the repository, by their folders."""


def load(text: str) -> dict[str, Any]:
    """Return a workflow with its triggers under `on`, which YAML 1.1 takes for true. Raises ValueError for no YAML."""
    content = compose_file.load(text)
    if not isinstance(content, dict):
        raise ValueError("it is no mapping")  # noqa: TRY004 - what the file holds is its author's mistake
    return {"on" if name is True else str(name): value for name, value in content.items()}


def run_on_changes(workflows: Mapping[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the workflows that a push or a pull request starts, and those that these call, or start when they end."""
    started = [path for path, one in workflows.items() if _starts_on_changes(one)]
    for path in started:
        named = str(workflows[path].get("name") or path)
        called = {name.removeprefix("./") for name in _called(workflows[path])}
        called |= {other for other, one in workflows.items() if named in _awaited(one)}
        started += [name for name in workflows if name in called and name not in started]
    return [workflows[path] for path in started]


def _starts_on_changes(workflow: dict[str, Any]) -> bool:
    triggers = workflow.get("on")
    named = [triggers] if isinstance(triggers, str) else list(triggers or ())
    return not {"push", "pull_request"}.isdisjoint(map(str, named))


def _awaited(workflow: dict[str, Any]) -> set[str]:
    """Return the names of the workflows after which a workflow runs."""
    return set(map(str, listed(table(table(workflow.get("on")).get("workflow_run")).get("workflows"))))


def _called(workflow: dict[str, Any]) -> Iterator[str]:
    """Yield the paths of the reusable workflows that a workflow's jobs are."""
    for job in _jobs(workflow):
        if str(job.get("uses") or "").startswith("./"):
            yield str(job["uses"])


def _jobs(workflow: dict[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the jobs that can run: a job without a condition of its own is skipped if one that it needs is."""
    jobs = {str(name): table(job) for name, job in table(workflow.get("jobs")).items()}
    skipped = {name for name, job in jobs.items() if _is_never(job)}
    for _ in islice(jobs, _MOST_NEEDS):
        skipped |= {
            name for name, job in jobs.items() if "if" not in job and not skipped.isdisjoint(_needs(job))
        }
    return (job for name, job in jobs.items() if name not in skipped)


def _needs(job: Mapping[str, Any]) -> list[str]:
    needs = job.get("needs")
    return [str(one) for one in (needs if isinstance(needs, list) else [needs])]


def tests(workflow: dict[str, Any], actions: Actions) -> bool:
    """Whether a workflow runs tests, and fails where they fail."""
    return any(_runs_tests(step, is_strict=True) for step in _steps(workflow, actions))


def ignores_tests(workflow: dict[str, Any], actions: Actions) -> bool:
    """Whether a workflow runs tests, but does not fail where they fail."""
    steps = list(_steps(workflow, actions))
    return any(_runs_tests(step, is_strict=False) for step in steps) and not tests(workflow, actions)


def _runs_tests(step: Mapping[str, Any], *, is_strict: bool) -> bool:
    """Whether a step runs tests; if `is_strict`, it also has to fail where they fail."""
    if is_strict and _is_on(step.get("continue-on-error")):
        return False
    lines = list(_lines(step))
    return _builds_tests(step) or any(
        _TESTS.search(command) and not _IDLE.search(command)
        for line in (_heeded(lines) if is_strict else lines)
        if not (is_strict and (_FORGIVEN.search(line) or _is_piped_away(line, step)))
        for command in _commands(line)
    )


def _heeded(lines: Sequence[str]) -> Iterator[str]:
    """Yield the lines whose failure ends a script, or whose end it looks at later."""
    looks = max((position for position, line in enumerate(lines) if _HEEDS.search(line)), default=-1)
    goes_on = False
    for position, line in enumerate(lines):
        if not goes_on or position <= looks or position == len(lines) - 1:
            yield line
        goes_on = bool(_GOES_ON.search(line)) or (goes_on and not _STOPS.search(line))


def _is_piped_away(line: str, step: Mapping[str, Any]) -> bool:
    """Whether the tests of a line are in a pipeline before its last command, whose end alone counts by default.

    GitHub runs `shell: bash` with `-o pipefail`, but without `shell` it runs bash without it (workflow syntax of GitHub
    Actions, "Exit codes and error action preference").
    """
    if str(step.get("shell")).strip() == "bash" or _PIPES_FAIL.search(
        f"{step.get('shell')} {step.get('run')}"
    ):
        return False
    pipelines = _pipelines(_QUOTED.sub("", line))
    return any(_TESTS.search(command) for pipeline in pipelines for command in pipeline[:-1])


def _builds_tests(step: Mapping[str, Any]) -> bool:
    """Whether a step builds a stage of an image that is called after its tests."""
    given = table(step.get("with"))
    return _uses_a_builder(step) and "test" in f"{given.get('target')} {given.get('targets')}"


def _uses_a_builder(step: Mapping[str, Any]) -> bool:
    return bool(_BUILDING_ACTION.search(str(step.get("uses") or "").partition("@")[0].lower()))


def builds(workflow: dict[str, Any], actions: Actions) -> bool:
    """Whether a workflow builds an image."""
    return any(
        _uses_a_builder(step)
        or any(
            _BUILDS.search(command) and not _IDLE.search(command)
            for line in _lines(step)
            for command in _commands(line)
        )
        for step in _steps(workflow, actions)
    )


def _lines(step: Mapping[str, Any]) -> Iterator[str]:
    given = table(step.get("with"))
    runs = [step.get("run"), *(given.get(name) for name in _COMMAND_INPUTS)]
    text = "\n".join(re.sub(r"\\\n", " ", str(run)) for run in runs if run)
    for line in _BLOCK.sub(lambda found: found[0].replace("\n", "; "), text).splitlines():
        if not line.strip().startswith("#"):
            yield " ".join(line[:_MOST_CHARACTERS].split())


def _commands(line: str) -> Iterator[str]:
    """Yield the commands of a line, without variables before them."""
    for command in chain.from_iterable(_pipelines(line)):
        yield re.sub(r"^(?:[A-Za-z_]\w*=\S* )+", "", command)


def _pipelines(line: str) -> Iterator[list[str]]:
    """Yield the commands of a line, those together of which each reads what the one before writes."""
    for pipeline in _SEQUENCE.split(line):
        yield [command.strip() for command in pipeline.split("|")]


def _steps(workflow: dict[str, Any], actions: Actions) -> Iterator[Mapping[str, Any]]:
    """Yield the steps of a workflow that can run, and those of the composite actions that it uses."""
    for job in _jobs(workflow):
        if not _is_on(job.get("continue-on-error")):
            matrix = table(table(job.get("strategy")).get("matrix"))
            shell = _default_shell(job) or _default_shell(workflow)
            for step in _with_actions(listed(job.get("steps")), actions, set()):
                yield {"shell": shell, **step, "run": "\n".join(_runs(str(step.get("run") or ""), matrix))}


def _default_shell(one: Mapping[str, Any]) -> str:
    """Return what a job or a workflow says about the shell of its steps."""
    return str(table(table(one.get("defaults")).get("run")).get("shell") or "")


def _runs(run: str, matrix: Mapping[str, Any]) -> Iterator[str]:
    """Yield what a step runs, by each of the values that a matrix has for a part of it."""
    yield run
    short = run[:_MOST_CHARACTERS]
    references = dict.fromkeys((found[0], found["name"]) for found in _MATRIX.finditer(short))
    for reference, name in islice(references, _MOST_VALUES):
        included = (table(one).get(name) for one in listed(matrix.get("include")))
        for value in islice(chain(listed(matrix.get(name)), included), _MOST_VALUES):
            if isinstance(value, str) and len(value) < _LONGEST_VALUE:
                yield short.replace(reference, value)


def _with_actions(steps: Sequence[Any], actions: Actions, seen: set[str]) -> Iterator[Mapping[str, Any]]:
    """Yield steps, and after each the steps of the action that it uses, those of each action once."""
    for step in map(table, steps):
        if _is_never(step):
            continue
        yield step
        used = posixpath.normpath(str(step.get("uses") or ""))
        if used in actions and used not in seen and len(seen) < _MOST_ACTIONS:
            seen.add(used)
            own = _with_actions(listed(table(actions[used].get("runs")).get("steps")), actions, seen)
            is_forgiven = _is_on(step.get("continue-on-error"))
            yield from ({**one, "continue-on-error": True} if is_forgiven else one for one in own)


def _is_never(one: Mapping[str, Any]) -> bool:
    """Whether a job or a step has a condition that is never true."""
    return "if" in one and bool(_NEVER.fullmatch(str(one["if"]).strip()[:_LONGEST_VALUE]))


def _is_on(value: Any) -> bool:
    return str(value).lower() == "true"
