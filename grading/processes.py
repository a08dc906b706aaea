"""Instances as processes of this machine, on its loopback interface, under the grader's own user."""

import contextlib
import functools
from collections.abc import AsyncIterator
from pathlib import Path

from chaos.network import LOOPBACK
from chaos.program import ProcessProgram
from chaos.proxy_server import proxy_server
from chaos.toxiproxy import ToxiproxyError
from grading.environment import prepare
from grading.errors import MachineError
from grading.node import copy_built, modules_of
from grading.runtime import LOCALE, SYSTEM_PATH, Announce, Runtime, instance_folder
from grading.start import StartPlan
from grading.submission import Submission
from grading.workspace import Workspace, cache_folder


@contextlib.asynccontextmanager
async def processes(
    submission: Submission, start: StartPlan, workspace: Workspace, *, seed: int, announce: Announce
) -> AsyncIterator[Runtime]:
    """Open the process runtime, as `OpenRuntime` says."""
    announce("installing its dependencies")
    venv = await prepare(submission, start, cache_folder(), announce)
    async with contextlib.AsyncExitStack() as stack:
        try:
            server = await stack.enter_async_context(proxy_server(seed=seed, env=base_environment(workspace)))
        except (OSError, ToxiproxyError) as error:
            raise MachineError(f"There is no fault proxy to grade with: {error}.") from error
        program = functools.partial(make_program, submission, start, venv, workspace)
        yield Runtime(server.client, server.name, LOOPBACK, program, workspace.root, exposed=True)


def base_environment(workspace: Workspace) -> dict[str, str]:
    """Return the variables of every process of a run; nothing else of the grader's environment is passed on."""
    return {"PATH": SYSTEM_PATH, **LOCALE, **workspace.environment}


def make_program(
    submission: Submission, start: StartPlan, venv: Path, workspace: Workspace
) -> ProcessProgram:
    """Make a copy of the submission for an experiment; its instances use the virtual environment `venv`."""
    root = instance_folder(submission, workspace)
    add_packages(root / "repository", start, venv)
    return program_in(root, start, venv, workspace)


def add_packages(repository: Path, start: StartPlan, venv: Path) -> None:
    """Put what npm has installed, and built, for a submission into a copy of it."""
    folder = start.requirements.node
    if folder is None:
        return
    modules = modules_of(venv, folder)
    if modules.is_dir() and not (repository / folder / modules.name).exists():
        # Modules of ECMAScript are found beside the code alone, and not by NODE_PATH.
        (repository / folder / modules.name).symlink_to(modules)
    if start.requirements.node_build:
        copy_built(modules.parent, repository / folder)


def program_in(root: Path, start: StartPlan, venv: Path, workspace: Workspace) -> ProcessProgram:
    """Return how instances are started in the folder `root` of an experiment."""
    repository = root / "repository"
    return ProcessProgram(
        argv=lambda host, port: start.argv(host, port, venv / "bin"),
        env=lambda host, port: {
            **base_environment(workspace),
            "PATH": f"{venv / 'bin'}:{SYSTEM_PATH}",
            "VIRTUAL_ENV": str(venv),
            "HOME": str(root / "home"),
            "TMPDIR": str(root / "tmp"),
            "PYTHONUNBUFFERED": "1",
            **start.environment(repository, host, port),
        },
        python=venv / "bin" / "python",
        root=root,
        repository=repository,
        workdir=repository / start.cwd,
        package=None if start.requirements.node is None else repository / start.requirements.node,
    )
