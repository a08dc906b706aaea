"""The runtimes by their names."""

from collections.abc import Mapping
from typing import Final

from grading.containers import containers
from grading.processes import processes
from grading.runtime import OpenRuntime, RuntimeName
from grading.sandbox import sandbox

RUNTIMES: Final[Mapping[RuntimeName, OpenRuntime]] = {
    RuntimeName.PROCESS: processes,
    RuntimeName.SANDBOX: sandbox,
    RuntimeName.DOCKER: containers,
}
