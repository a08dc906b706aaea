"""The runtimes by their names, and the one that is taken where none is named."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from chaos.sandbox.probe import sandbox_refusal
from grading.containers import containers
from grading.processes import processes
from grading.runtime import OpenRuntime, RuntimeName
from grading.sandbox import sandbox

RUNTIMES: Final[Mapping[RuntimeName, OpenRuntime]] = {
    RuntimeName.PROCESS: processes,
    RuntimeName.SANDBOX: sandbox,
    RuntimeName.DOCKER: containers,
}
NO_GRADE: Final = "the grade is only for yourself, because the submission could reach the grader"


@dataclass(frozen=True, slots=True)
class ChosenRuntime:
    """The runtime of a run, and what its report has to say about that; empty where nothing."""

    name: RuntimeName
    note: str = ""

    @property
    def open(self) -> OpenRuntime:
        return RUNTIMES[self.name]


def choose_runtime(name: RuntimeName | None) -> ChosenRuntime:
    """Return the runtime of this name; without one, the sandbox if this machine has it, else processes."""
    if name is RuntimeName.PROCESS:
        return ChosenRuntime(name, f"Graded without a sandbox: {NO_GRADE}.")
    if name:
        return ChosenRuntime(name)
    if why := sandbox_refusal():
        return ChosenRuntime(
            RuntimeName.PROCESS, f"Graded without a sandbox, because {why}: {NO_GRADE}. See `grading doctor`."
        )
    return ChosenRuntime(RuntimeName.SANDBOX)
