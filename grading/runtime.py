"""Where the instances of a submission's service run while it is graded."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from chaos.network import Network
from chaos.program import Program
from chaos.toxiproxy import Toxiproxy
from grading.start import StartPlan
from grading.submission import Submission
from grading.workspace import Workspace

SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin"
LOCALE = {"LANG": "C.UTF-8", "TZ": "UTC"}
"""The variables that make times and texts the same on every machine: some services mix local time with UTC."""

Announce = Callable[[str], None]
"""Tells the user what is being done, in a few words."""


@dataclass(frozen=True, slots=True)
class Runtime:
    """Where the instances of one run are started, with the fault proxy between them and their upstreams.

    `fault_proxy` describes that proxy, and `toxiproxy` controls it. `program` makes a copy of the submission for one
    experiment. `folder` lies on the disk that the run itself needs. In an `exposed` runtime the instances can reach the
    fault proxy's control and the grader's processes. `side_by_side` is how many experiments run at once.
    """

    toxiproxy: Toxiproxy
    fault_proxy: str
    network: Network
    program: Callable[[], Program]
    folder: Path
    exposed: bool = False
    side_by_side: int = 16


def instance_folder(submission: Submission, workspace: Workspace) -> Path:
    """Make the folder of an experiment's instances: `repository`, a copy of the submission, `home` and `tmp`.

    Its name says nothing of the experiment: a service could read it.
    """
    root = workspace.folder("instance")
    fill(root, submission)
    return root


def fill(root: Path, submission: Submission) -> None:
    """Make in `root` what an experiment's instances have there."""
    submission.copy_to(root / "repository")
    for own in ("home", "tmp"):
        (root / own).mkdir()


class RuntimeName(StrEnum):
    """The runtimes, as the command line names them."""

    PROCESS = "process"
    SANDBOX = "sandbox"
    DOCKER = "docker"


class OpenRuntime(Protocol):
    """Opens the runtime of one run; nothing of it is left after the context."""

    def __call__(
        self, submission: Submission, start: StartPlan, workspace: Workspace, *, seed: int, announce: Announce
    ) -> AbstractAsyncContextManager[Runtime]:
        """Install what the submission needs, and start the fault proxy.

        Raises SubmissionError if the submission cannot be installed, and MachineError if the machine prevents it.
        """
