"""Services as processes of this machine, on its loopback interface, under the grader's own user."""

import contextlib
from collections.abc import AsyncIterator

from chaos.network import LOOPBACK
from chaos.program import ProcessProgram
from chaos.proxy_server import proxy_server
from chaos.toxiproxy import ToxiproxyError
from grading.environment import Environment, prepare
from grading.errors import MachineError
from grading.runtime import Announce, Premises, instance_folder
from grading.start import StartPlan
from grading.submission import Submission
from grading.workspace import Workspace, cache_folder

SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin"


@contextlib.asynccontextmanager
async def processes(
    submission: Submission, start: StartPlan, workspace: Workspace, *, seed: int, announce: Announce
) -> AsyncIterator[Premises]:
    """The process runtime, as `Runtime` has it."""
    announce("installing its dependencies")
    environment = await prepare(submission, start, cache_folder(), announce)
    launcher = Launcher(submission, start, environment, workspace)
    async with contextlib.AsyncExitStack() as stack:
        try:
            server = await stack.enter_async_context(proxy_server(seed=seed, env=launcher.base_environment()))
        except (OSError, ToxiproxyError) as error:
            raise MachineError(f"There is no fault proxy to grade with: {error}.") from error
        yield Premises(server.client, server.name, LOOPBACK, launcher.program)


class Launcher:
    """Makes instances of a submission's service, each with its own copy, home and temporary folder."""

    def __init__(
        self, submission: Submission, start: StartPlan, environment: Environment, workspace: Workspace
    ) -> None:
        self._submission = submission
        self._start = start
        self._environment = environment
        self._workspace = workspace

    def base_environment(self) -> dict[str, str]:
        """Return what every process of the run gets; nothing else of the grader's environment is passed on."""
        return {"PATH": SYSTEM_PATH, "LANG": "C.UTF-8", **self._workspace.environment}

    def program(self, name: str) -> ProcessProgram:
        """Make the instance for the experiment `name`."""
        root = instance_folder(self._submission, self._workspace, name)
        repository = root / "repository"
        return ProcessProgram(
            argv=lambda host, port: self._start.argv(host, port, self._environment.bin),
            env=lambda host, port: {
                **self.base_environment(),
                "PATH": f"{self._environment.bin}:{SYSTEM_PATH}",
                "VIRTUAL_ENV": str(self._environment.bin.parent),
                "HOME": str(root / "home"),
                "TMPDIR": str(root / "tmp"),
                "PYTHONUNBUFFERED": "1",
                **self._start.environment(repository, host, port),
            },
            root=root,
            repository=repository,
            cwd=repository / self._start.cwd,
        )
