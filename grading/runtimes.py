"""The runtimes by their names."""

from collections.abc import Mapping
from typing import Final

from grading.containers import containers
from grading.processes import processes
from grading.runtime import OpenRuntime, RuntimeName

RUNTIMES: Final[Mapping[RuntimeName, OpenRuntime]] = {
    RuntimeName.PROCESS: processes,
    RuntimeName.DOCKER: containers,
}
