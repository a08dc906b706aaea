"""Runs a submission's own tests once more, and records which lines of its service they run.

How the tests end is no matter here. What a report says is trusted as far as that of results is (`chaos.own_tests.run`):
it has to tell of a module of the lab's, beside the service's, what is so.
"""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from chaos.history import Covered
from chaos.own_tests.covered_lines import NotMeasuredError
from chaos.own_tests.node_coverage import is_source_of_node, measure_node
from chaos.own_tests.python_coverage import is_source_of_python, measure_python
from chaos.program import Program
from chaos.recorder import Recorder
from chaos.service_files import service_files

MOST_FILES: Final = 2_000
SOURCES: Final = "src"


async def measure_coverage(program: Program, recorder: Recorder, *, variables: Mapping[str, str]) -> Covered:
    """Run the tests with these variables, and record the lines that they ran.

    Those of the service are below `src/`, or else anywhere in the repository, or in the package of Node.js.
    """
    is_node = program.package is not None
    source, files = await asyncio.to_thread(_files, program, is_node=is_node)
    if not files:
        return recorder.record(Covered(problem="there is no source file to look at"))
    try:
        if is_node:
            lines = await measure_node(program, recorder, files=files, variables=variables)
        else:
            lines = await measure_python(program, recorder, source=source, files=files, variables=variables)
    except NotMeasuredError as error:
        return recorder.record(Covered(problem=str(error)))
    counted = (lines[file].counted(file) for file in sorted(lines))
    return recorder.record(Covered(files=tuple(one for one in counted if one.lines)))


def _files(program: Program, *, is_node: bool) -> tuple[Path, list[Path]]:
    """Return the folder that a service is in, and its source files."""
    place = program.package or program.repository
    is_source = is_source_of_node if is_node else is_source_of_python
    for folder in (place / SOURCES, place):
        if folder.is_symlink() or not folder.is_dir():
            continue
        if files := [path for path in service_files(folder) if is_source(path)][:MOST_FILES]:
            return folder, files
    return place, []
