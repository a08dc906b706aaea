"""Decides how a submission's service is started.

The first of these that there is says it:

1. the table `[tool.grading]` in pyproject.toml: `command` (a string or a list), `cwd`, `requirements`;
2. the service of the compose file, and the Dockerfile that it builds;
3. a Dockerfile;
4. the script `start` of a package.json, in the root or in the folder that the compose file builds;
5. the module with the application, as part of a package or of flat modules.
"""

import contextlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from chaos.contract import StartDefaults
from grading.errors import NothingToStartError, SubmissionError
from grading.start import compose, default, dockerfile, package_json, requirements, table
from grading.start.container import Container
from grading.start.errors import UnclearStartError
from grading.start.start_plan import StartPlan
from grading.start.translation import translate
from grading.submission import Submission


def plan(submission: Submission, defaults: StartDefaults, reserved: Collection[str]) -> StartPlan:
    """Return how the service of `submission` is started, and what has to be installed for it.

    The variables in `reserved` are the grader's to set: what the submission's files set them to is left out.
    Raises NothingToStartError if nothing in the repository could start, and SubmissionError, saying what to write, if its
    files do not say clearly how.
    """
    _check_files(submission, defaults)
    advice = f'write in pyproject.toml: [tool.grading] command = "{defaults.example}"'
    try:
        return _plan(submission, defaults, reserved)
    except UnclearStartError as error:
        raise SubmissionError(f"{error}; {advice}, with its cwd unless that is the root.") from error
    except (OSError, RecursionError, ValueError) as error:
        # Names that no file can have, quotes that are not closed, patterns that mean nothing.
        raise SubmissionError(
            f"The files that say how the service starts cannot be read; correct them, or {advice}.",
            detail=str(error),
        ) from error


def _check_files(submission: Submission, defaults: StartDefaults) -> None:
    names = ["pyproject.toml", "requirements.txt", package_json.FILE, *compose.FILES]
    names += map(str, [*defaults.dockerfiles, defaults.main.parent])
    if not any(submission.has(name) for name in names):
        raise NothingToStartError(
            f"There is nothing to start in the folder '{submission.name}'; hand in the whole project, with one of these"
            f" at its top: {', '.join(names)}."
        )


def _plan(submission: Submission, defaults: StartDefaults, reserved: Collection[str]) -> StartPlan:
    named = table.named_requirements(submission)
    containers = [replace(one, requirements=named) for one in _containers(submission, defaults)]
    found = _first_clear(containers, defaults, reserved)
    return replace(
        found, requirements=requirements.with_groups(submission, found.requirements, defaults.groups)
    )


def _first_clear(
    containers: Sequence[Container], defaults: StartDefaults, reserved: Collection[str]
) -> StartPlan:
    *others, last = containers
    for container in others:
        with contextlib.suppress(SubmissionError, UnclearStartError):
            return translate(container, defaults.main, reserved)
    return translate(last, defaults.main, reserved)


def _containers(submission: Submission, defaults: StartDefaults) -> Sequence[Container]:
    """Return the containers that the service may run in, the likeliest first."""
    if commanded := table.container(submission):
        return [commanded]
    if defaults.command:
        return [Container(submission, "default", "the default command", command=defaults.command)]
    composed = compose.container(submission, defaults.service)
    if composed and composed.start_command:
        return [composed]
    built = [one for one in dockerfile.find(submission, defaults.dockerfiles) if one.start_command]
    if built:
        return built
    context = composed.build.context if composed and composed.build else Path()
    if packaged := _packaged(submission, dict.fromkeys([Path(), context])):
        return [packaged]
    if submission.has(package_json.FILE) and not submission.has(defaults.main):
        raise SubmissionError(
            f'{package_json.FILE} has no script `start`; add one, such as "start": "node src/server.js".'
        )
    return [default.container(submission, defaults.main)]


def _packaged(submission: Submission, folders: Iterable[Path]) -> Container | None:
    """Return the start that the script `start` of the first package.json in `folders` says; None if there is none."""
    for folder in folders:
        package = package_json.read(submission, folder)
        if package and "start" in package.scripts:
            origin = f"the script `start` of {folder / package_json.FILE}"
            workdir = PurePosixPath("/") / folder
            return Container(submission, "package.json", origin, workdir=workdir, command=["npm", "start"])
    return None
