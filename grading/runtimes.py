"""The runtimes by their names."""

from collections.abc import Mapping
from typing import Final

from grading.containers import containers
from grading.processes import processes
from grading.runtime import Runtime, RuntimeName

RUNTIMES: Final[Mapping[RuntimeName, Runtime]] = {
    RuntimeName.PROCESS: processes,
    RuntimeName.DOCKER: containers,
}
