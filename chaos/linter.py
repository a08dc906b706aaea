"""Runs a submission's linter, and records what it says.

First with a file of the lab's in it that has faults which every linter has a word about, then with one that is no program
at all: not with both at once, because of the second a compiler or formatter that runs first would end before the linter.
Silence about these would mean silence about others. Then without them. Which linter, and which rules, is the submission's
choice.
"""

import asyncio
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from chaos.files import replace_text
from chaos.history import Exited, History, Linted, Log
from chaos.own_tests.node import scripts_of
from chaos.program import Program
from chaos.recorder import Recorder
from chaos.service_files import file_among, service_files

INSTANCE: Final = "linter"
WITH_FAULTS: Final = "linter, with faults"
WITH_NO_PROGRAM: Final = "linter, with what is no program"
SECONDS: Final = 90.0
NONE_FOUND: Final = 72
"""Exit code of the commands below where there is no linter."""
_PYTHON: Final = rf"""
has() {{ command -v "$1" >/dev/null 2>&1; }}
if has ruff && {{ [ -f ruff.toml ] || [ -f .ruff.toml ] || grep -qs '^\[tool\.ruff' pyproject.toml; }}; then tool=ruff
elif has flake8 && {{ [ -f .flake8 ] || grep -qs '^\[flake8' setup.cfg tox.ini; }}; then tool=flake8
elif has pylint && {{ [ -f .pylintrc ] || [ -f pylintrc ] || grep -Eqs '^\[(tool\.)?pylint' pyproject.toml setup.cfg; }}
then tool=pylint
elif has ruff; then tool=ruff
elif has flake8; then tool=flake8
elif has pylint; then tool=pylint
fi
case $tool in
ruff) exec ruff check --no-cache --no-fix --output-format=concise . ;;
flake8) exec flake8 . ;;
pylint) exec pylint --recursive=y --persistent=n . ;;
esac
exit {NONE_FOUND}
"""
_NODE: Final = f"""
for tool in eslint 'biome lint' oxlint standard xo; do
    command -v "${{tool%% *}}" >/dev/null 2>&1 && exec $tool .
done
exit {NONE_FOUND}
"""
_IN_PYTHON: Final = {".py": "import os\n\n\ndef broken():\n    return no_such_name\n"}
_IN_JAVASCRIPT: Final = dict.fromkeys(
    (".js", ".mjs", ".cjs", ".ts", ".mts", ".jsx", ".tsx"),
    "debugger;\nconst unused = 1;\nconst twice = { a: 1, a: 2 };\n",
)
"""Text with faults that may be warnings, by the ending of its file."""
_NO_PROGRAM: Final = "(\n"
"""What no linter can read, and none calls a warning."""


@dataclass(frozen=True, slots=True)
class _Linter:
    """A shell command to be run in the folder `place`, and files with faults that it should tell of, by their endings."""

    place: Path
    command: str
    faults: Mapping[str, str]

    @classmethod
    def of(cls, program: Program) -> Self:
        if program.package is None:
            return cls(program.repository, _PYTHON, _IN_PYTHON)
        return cls(program.package, scripts_of(program.package).get("lint", _NODE), _IN_JAVASCRIPT)

    async def run(
        self, program: Program, recorder: Recorder, variables: Mapping[str, str], instance: str
    ) -> Exited | None:
        service = await program.run_shell(
            lambda _: self.command,
            {**variables, "CI": "1", "NO_COLOR": "1", "PYTHONDONTWRITEBYTECODE": "1"},
            cwd=self.place,
            instance=instance,
            recorder=recorder,
        )
        async with service:
            return await service.wait_exit(SECONDS)


async def run_linter(program: Program, recorder: Recorder, *, variables: Mapping[str, str]) -> Linted:
    """Run the linter on the submission as it is, after a run that shows that it tells of faults; records how that went.

    That is the script `lint` of the package.json that starts the service, or else what is installed: ruff, flake8 or pylint,
    one that is configured first; or ESLint, Biome, oxlint, standard or XO.
    """
    linter = _Linter.of(program)
    probe = await asyncio.to_thread(_beside_the_service, linter)
    if probe is None:
        return recorder.record(Linted(problem="there is no source file to look at"))
    for instance, text in ((WITH_FAULTS, linter.faults[probe.suffix]), (WITH_NO_PROGRAM, _NO_PROGRAM)):
        try:
            replace_text(program.root, probe.relative_to(program.root), text)
        except OSError as error:
            return recorder.record(
                Linted(problem=f"no file can be written beside the others ({error.strerror})")
            )
        exited = await linter.run(program, recorder, variables, instance)
        probe.unlink(missing_ok=True)
        if problem := _problem(exited) or _silence(exited, recorder.history(), probe, instance):
            return recorder.record(Linted(problem=problem))
    last = await linter.run(program, recorder, variables, INSTANCE)
    return recorder.record(Linted(code=last.code if last else None, problem=_problem(last)))


def _problem(exited: Exited | None) -> str:
    """Say why the end of a run tells nothing of the code; an empty string where it does."""
    if exited is None:
        return f"the linter took longer than {SECONDS:.0f} s"
    if exited.cause:
        return f"the linter was ended by the grader: it {exited.cause}"
    return "no linter is installed with your packages" if exited.code == NONE_FOUND else ""


def _silence(exited: Exited | None, history: History, probe: Path, instance: str) -> str:
    """Say how the linter let a file of the lab's pass; an empty string where it did not."""
    place = f"was put into the folder {probe.parent.name} for a moment, and the linter"
    if instance == WITH_NO_PROGRAM:
        passed = exited is not None and exited.code == 0
        return f"a file that is no program {place} ended with exit code 0" if passed else ""
    if any(probe.name in line.text for line in history.instance(instance).of(Log)):
        return ""
    return f"a file with unused and undefined names {place} did not name it"


def _beside_the_service(linter: _Linter) -> Path | None:
    """Return a new path in the folder that has most of the service's source files; None where there are none."""
    files = (path for path in service_files(linter.place) if path.suffix in linter.faults)
    return file_among(files, f"probe_{secrets.token_hex(6)}")
