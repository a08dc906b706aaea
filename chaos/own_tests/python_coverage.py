"""Measures which lines of a service in Python its tests run, by coverage.py of the lab's and nothing of the submission's."""

import asyncio
import importlib.util
import json
import re
import secrets
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from chaos.files import read_plain, replace_file, replace_text
from chaos.own_tests import own_tests_runner, python_coverage_report
from chaos.own_tests.covered_lines import Lines, NotMeasuredError, parse_json, read_report
from chaos.own_tests.measured import INSTANCE, end_of_tests
from chaos.own_tests.run import FOLDER, RUNNER, ended_otherwise, read_codes
from chaos.program import Program
from chaos.recorder import Recorder
from chaos.service_files import file_among

REPORT_SECONDS: Final = 60.0
HERE: Final = Path(__file__).parent
PLUGIN: Final = HERE / "python_coverage_plugin.py"
REPORT: Final = Path(python_coverage_report.__file__)
SITE: Final = HERE / "python_coverage_sitecustomize.py"
DATA: Final = "data"
CONFIGURATION: Final = "coveragerc"
MOST_BYTES: Final = 2**20
"""Of a file that is counted as it was before the tests."""
NOT_COPIED: Final = ("__pycache__", "htmlfiles")
WHOLE_RUNS: Final = (0, 1)
"""The exit codes of pytest when all tests ran, whether they failed or not."""
_NOT_THE_SERVICE: Final = re.compile(r"test_.*|.*_test|tests|conftest|setup|noxfile|tasks")
"""The names of modules that no service is made of."""
_PROBE: Final = """\
def ran():
    return 1


def did_not_run():
    value = ran()
    return value


ran()
"""
_PROBED: Final = Lines({1, 2, 5, 6, 7, 10}, {6, 7})
_CONFIGURATION: Final = """\
[report]
exclude_lines =
    ^\\s*(((async )?def .*?)?\\)?(\\s*->.*?)?:\\s*)?\\.\\.\\.\\s*(#|$)
    if (typing\\.)?TYPE_CHECKING:
[run]
parallel = true
sigterm = true
patch = _exit
disable_warnings =
    already-imported
    couldnt-parse
    include-ignored
    module-not-imported
    module-not-measured
    module-not-python
    no-ctracer
    no-data-collected
    no-sysmon
    trace-changed
"""
"""Without a line for `# pragma: no cover`: what has no test would be all that anybody marks so. The plugin adds the rest."""


def is_source_of_python(path: Path) -> bool:
    return path.suffix == ".py" and not _NOT_THE_SERVICE.fullmatch(path.stem)


async def measure_python(
    program: Program, recorder: Recorder, *, source: Path, files: Sequence[Path], variables: Mapping[str, str]
) -> dict[str, Lines]:
    """Run the tests, and return the lines of these files below `source`. Raises NotMeasuredError."""
    if not (program.repository / FOLDER).is_dir():
        raise NotMeasuredError(f"there is no folder {FOLDER}/")
    probe = file_among(files, f"probe_{secrets.token_hex(6)}")
    assert probe is not None
    names = [path.relative_to(program.repository).as_posix() for path in (*files, probe)]
    inner = source.relative_to(program.repository)
    texts = await asyncio.to_thread(_texts, program.root, files)
    folder = await asyncio.to_thread(_prepare, program, probe, names[-1])
    await _run_tests(program, recorder, folder, inner, variables)
    report = await asyncio.to_thread(_prepare_report, program, names, {**texts, probe: _PROBE.encode()})
    await _run_report(program, recorder, report, folder / DATA, inner)
    probe.unlink(missing_ok=True)
    try:
        found = await asyncio.to_thread(lambda: parse_json(read_report(program.root, report / "lines.json")))
    except ValueError as error:
        raise NotMeasuredError(f"the lines that ran cannot be read: {error}") from None
    if found.pop(names[-1], None) != _PROBED:
        raise NotMeasuredError("of a module that the grader had added, other lines were reported than ran")
    return {name: found.get(name, Lines()) for name in names[:-1]}


async def _run_tests(
    program: Program, recorder: Recorder, folder: Path, source: Path, variables: Mapping[str, str]
) -> None:
    service = await program.run_python(
        ["-E", folder / RUNNER.name, folder, folder / PLUGIN.name, str(source)],
        {**variables, "PYTHONDONTWRITEBYTECODE": "1"},
        instance=INSTANCE,
        recorder=recorder,
    )
    exited = await end_of_tests(service)
    if exited.code == own_tests_runner.NO_PYTEST:
        raise NotMeasuredError("pytest is not installed: declare it in the group `dev` of pyproject.toml")
    [code] = read_codes(program.root, folder / "codes.json", 1)
    if code not in WHOLE_RUNS:
        raise NotMeasuredError(ended_otherwise(code, recorder.history()))


async def _run_report(program: Program, recorder: Recorder, folder: Path, data: Path, source: Path) -> None:
    service = await program.run_python(
        ["-I", folder / REPORT.name, folder, data, str(source)],
        {},
        instance=f"{INSTANCE}: report",
        recorder=recorder,
    )
    async with service:
        exited = await service.wait_exit(REPORT_SECONDS)
    if exited is None:
        raise NotMeasuredError(f"to count the lines took longer than {REPORT_SECONDS:.0f} s")
    if exited.code == python_coverage_report.TOO_OLD:
        raise NotMeasuredError("lines are counted in Python 3.11 and newer")


def _library() -> Path:
    """Return the folder of coverage.py, without an import: that would take a quarter of a second at every start."""
    found = importlib.util.find_spec("coverage")
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parent


def _texts(root: Path, files: Sequence[Path]) -> dict[Path, bytes | None]:
    """Return what files hold, None for what is too large."""
    return {path: read_plain(root, path.relative_to(root), MOST_BYTES) for path in files}


def _prepare(program: Program, probe: Path, name: str) -> Path:
    """Write what the tests need, and the module `probe`, which has this name; returns the folder of their data."""
    try:
        replace_text(program.root, probe.relative_to(program.root), _PROBE)
    except OSError as error:
        raise NotMeasuredError(f"no file can be written beside the others ({error.strerror})") from None
    folder = _folder_with_coverage(program)
    (folder / DATA).mkdir()
    for file in (RUNNER, PLUGIN):
        shutil.copyfile(file, folder / file.name)
    shutil.copyfile(SITE, folder / "sitecustomize.py")
    (folder / "probe").write_text(name, encoding="utf-8")
    for path in (folder, folder / DATA, folder / CONFIGURATION):
        path.chmod(0o777)  # in a container the tests run under another user
    return folder


def _prepare_report(program: Program, names: Sequence[str], texts: Mapping[Path, bytes | None]) -> Path:
    """Write what the report needs, and the service's files as they were: the tests may have changed whatever is there.

    Returns the folder in which the report is going to be.
    """
    try:
        for path, text in texts.items():
            if text is not None:
                replace_file(program.root, path.relative_to(program.root), text)
    except OSError as error:
        raise NotMeasuredError(f"the tests have changed the service's folders ({error.strerror})") from None
    folder = _folder_with_coverage(program)
    shutil.copyfile(REPORT, folder / REPORT.name)
    (folder / "files.json").write_text(json.dumps(names), encoding="utf-8")
    folder.chmod(0o777)  # in a container the report runs under another user
    return folder


def _folder_with_coverage(program: Program) -> Path:
    """Return a new folder with a copy of coverage.py and its configuration."""
    folder = program.root / f"coverage-{secrets.token_hex(6)}"
    folder.mkdir()
    shutil.copytree(_library(), folder / "coverage", ignore=shutil.ignore_patterns(*NOT_COPIED))
    (folder / CONFIGURATION).write_text(_CONFIGURATION, encoding="utf-8")
    return folder
