"""What a submission's services run in while they are graded."""

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

Announce = Callable[[str], None]
"""Tells what is being done, in a few words."""


@dataclass(frozen=True, slots=True)
class Premises:
    """What the experiments of one run take place in.

    `program` makes a fresh copy of the submission for an experiment by its name; `faults` says which fault proxy there
    is.
    """

    toxiproxy: Toxiproxy
    faults: str
    network: Network
    program: Callable[[str], Program]


def instance_folder(submission: Submission, workspace: Workspace, name: str) -> Path:
    """Make the folder of one experiment's instances: `repository`, a copy of the submission, `home` and `tmp`."""
    root = workspace.folder(name)
    submission.copy_to(root / "repository")
    for own in ("home", "tmp"):
        (root / own).mkdir()
    return root


class RuntimeName(StrEnum):
    """What services run in, as it is said on the command line."""

    PROCESS = "process"
    DOCKER = "docker"


class Runtime(Protocol):
    """Makes the premises of one run, and leaves nothing of them."""

    def __call__(
        self, submission: Submission, start: StartPlan, workspace: Workspace, *, seed: int, announce: Announce
    ) -> AbstractAsyncContextManager[Premises]:
        """Install what the submission needs, and start the fault proxy.

        Raises SubmissionError where the submission cannot be installed, MachineError where the machine stands in the way.
        """
