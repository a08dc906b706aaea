"""Makes the virtual environments that submissions run in, once for the same dependency files.

    <cache>/environments/<key>/
        complete     names the folder below that is whole; written last
        <attempt>/   env/ and project/: a half-made one is never completed by anybody else
    <cache>/environments/<key>.lock

The key is that of the recipe.
"""

import asyncio
import contextlib
import os
import re
import secrets
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from filelock import AsyncFileLock, BaseFileLock, FileLock, Timeout

from grading.bounded import read_files
from grading.command import Completed, run
from grading.errors import GradingError, MachineError, SubmissionError
from grading.recipe import GRADERS_PYTHON, Recipe
from grading.start import StartPlan
from grading.submission import Submission
from grading.uv import find_uv
from grading.workspace import remove_tree

INSTALL_TIMEOUT = 600.0
UNUSED_DAYS = 30
"""Environments that were not used for longer are removed; they can be made again."""

_COMPLETE = "complete"
_INHERITED = re.compile(
    r"PATH|HOME|LANG|LC_ALL|TMPDIR|XDG_(CACHE|CONFIG|DATA)_HOME|SSL_CERT_(FILE|DIR)|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE"
    r"|UV_\w+|PIP_\w+|((https?|all|no)_proxy)",
    re.IGNORECASE,
)
_NO_PYTHON = re.compile(
    r"no interpreter found|python-build-standalone|incompatible with the project's python requirement|no download found",
    re.IGNORECASE,
)
_BUILD = re.compile(r"build backend (returned an error|failed)|failed to build", re.IGNORECASE)
_NOT_THERE = re.compile(r"status client error \((401|403|404|410)", re.IGNORECASE)
_MACHINE = re.compile(
    r"error sending request|failed to fetch|request failed|dns error|connection (refused|reset|closed)|timed out"
    r"|network (is )?(unreachable|was disabled)|status server error|429 too many|certificate|no space left|disk quota"
    r"|read-only file system|permission denied|cannot allocate memory|too many open files",
    re.IGNORECASE,
)


async def prepare(
    submission: Submission, plan: StartPlan, cache: Path, on_progress: Callable[[str], None]
) -> Path:
    """Return the virtual environment with the dependencies of `plan`, which is made under `cache` unless it is there.

    Raises SubmissionError if they cannot be installed or do not hold the program to start, and MachineError if the
    network, the disk, uv or the time limit prevents the installation.
    """
    recipe = await asyncio.to_thread(read_files, lambda: Recipe.of(submission, plan.requirements))
    folder = cache / "environments" / recipe.key
    try:
        venv = await asyncio.to_thread(_complete, folder)
        if venv is None:
            venv = await _install(submission, recipe, folder, on_progress)
    except OSError as error:
        raise MachineError(
            f"The environment could not be made in {cache}: {error}; set GRADING_CACHE."
        ) from error
    plan.argv("127.0.0.1", 0, venv / "bin")
    return venv


def _complete(folder: Path) -> Path | None:
    """Return the environment of `folder` if it was made to its end, and its interpreter is still there."""
    marker = folder / _COMPLETE
    try:
        venv = folder / marker.read_text().strip() / "env"
        marker.touch()
    except OSError:
        return None
    return venv if (venv / "bin" / "python").exists() else None


async def _install(
    submission: Submission, recipe: Recipe, folder: Path, on_progress: Callable[[str], None]
) -> Path:
    uv = find_uv()
    await asyncio.to_thread(folder.parent.mkdir, parents=True, exist_ok=True)
    lock = AsyncFileLock(folder.with_name(f"{folder.name}.lock"), thread_local=False)
    try:
        await lock.acquire(timeout=0)
    except Timeout:
        on_progress(f"waiting for another grader that installs {recipe.requirements.described}")
        await lock.acquire()
    try:
        ready = await asyncio.to_thread(_complete, folder)
        if ready is not None:
            return ready
        on_progress(f"installing {recipe.requirements.described}")
        await asyncio.to_thread(_empty, folder)
        attempt = folder / secrets.token_hex(4)
        await asyncio.to_thread(recipe.copy, submission, attempt / "project")
        await _Installer(uv, recipe, attempt, on_progress).install()
        await asyncio.to_thread(_mark, folder, attempt.name)
    finally:
        await lock.release()
    await asyncio.to_thread(_discard_unused, folder.parent)
    return attempt / "env"


def _empty(folder: Path) -> None:
    if folder.exists():
        remove_tree(folder)
    folder.mkdir()


def _mark(folder: Path, attempt: str) -> None:
    draft = folder / f"{_COMPLETE}.draft"
    draft.write_text(attempt)
    draft.replace(folder / _COMPLETE)


def _discard_unused(environments: Path) -> None:
    """Remove the environments that were not used for a month and that nobody is making."""
    oldest = time.time() - UNUSED_DAYS * 86400
    for folder in [entry for entry in environments.iterdir() if entry.is_dir()]:
        marker = folder / _COMPLETE
        lock: BaseFileLock = FileLock(environments / f"{folder.name}.lock")
        with contextlib.suppress(OSError, Timeout):
            if (marker if marker.exists() else folder).stat().st_mtime < oldest:
                with lock.acquire(timeout=0):
                    remove_tree(folder)


class _Installer:
    """Runs uv for one environment."""

    def __init__(self, uv: str, recipe: Recipe, attempt: Path, on_progress: Callable[[str], None]) -> None:
        self._uv = uv
        self._recipe = recipe
        self._wanted = recipe.requirements
        self._env = attempt / "env"
        self._root = attempt / "project"
        self._project = self._root / (self._wanted.project or Path())
        self._on_progress = on_progress
        self._deadline = time.monotonic() + INSTALL_TIMEOUT

    async def install(self) -> None:
        await self._make()
        for folder, words in self._recipe.commands(str(self._env / "bin" / "python")):
            await self._checked(words, self._root / folder)

    async def _make(self) -> None:
        """Make an empty environment of the preferred Python, or else of one that fits."""
        wish = self._wanted.python
        answer = await self._run(
            ["venv", *(["--python", wish] if wish else self._own_python()), str(self._env)]
        )
        if answer.code != 0 and wish and _NO_PYTHON.search(answer.output):
            self._on_progress(f"Python {wish} is neither here nor to be had; using another")
            answer = await self._run(["venv", *self._own_python(), str(self._env)])
        if answer.code != 0:
            raise self._failure(answer)

    def _own_python(self) -> list[str]:
        """Return the options for the grader's version of Python, unless the project's `requires-python` chooses."""
        return [] if self._wanted.project is not None else ["--python", GRADERS_PYTHON]

    async def _checked(self, words: Sequence[str], cwd: Path) -> None:
        answer = await self._run(words, cwd)
        if answer.code != 0:
            raise self._failure(answer)

    async def _run(self, words: Sequence[str], cwd: Path | None = None) -> Completed:
        try:
            return await run(
                [self._uv, *words, "--color", "never", "--no-progress"],
                cwd=cwd or self._project,
                env=_uv_environment(self._env),
                timeout=max(0.0, self._deadline - time.monotonic()),
            )
        except TimeoutError:
            raise MachineError(
                f"Installing {self._wanted.described} took longer than {INSTALL_TIMEOUT:.0f} s; try again."
            ) from None

    def _failure(self, answer: Completed) -> GradingError:
        """Return the failure of an installation; uv's output tells whose fault it is."""
        text, what = answer.output, self._wanted.described
        if _NO_PYTHON.search(text):
            message = (
                "The Python that the submission asks for is not here; install it with `uv python install`."
            )
            return MachineError(message, detail=text)
        # A build runs the submission's code: what that says of networks and disks is its own.
        if not _BUILD.search(text) and not _NOT_THERE.search(text) and _MACHINE.search(text):
            return MachineError(
                f"{what} could not be installed: the network or the disk failed; try again.", detail=text
            )
        return SubmissionError(f"{what} cannot be installed; correct it until `uv` installs it.", detail=text)


def _uv_environment(env: Path) -> dict[str, str]:
    # An allow-list: builds run the submission's code, and must not see what else is in ours.
    inherited = {name: value for name, value in os.environ.items() if _INHERITED.fullmatch(name)}
    inherited.pop("UV_PROJECT", None)
    return inherited | {"UV_PROJECT_ENVIRONMENT": str(env)}
