"""Makes the virtual environments that submissions run in, once for the same dependency files.

    <cache>/environments/<key>/
        complete     names the folder below that is whole; written last
        <attempt>/   env/ and project/: a half-made one is never completed by anybody else
    <cache>/environments/<key>.lock

The key is that of the recipe. What is installed in boxes is in <cache>/boxed instead: `complete` then holds the digest of
the environment too, which is read-only, and is made again where the two do not fit any more.
"""

import asyncio
import contextlib
import secrets
import time
from collections.abc import Callable
from pathlib import Path

from filelock import AsyncFileLock, BaseFileLock, FileLock, Timeout

from grading.bounded import read_files
from grading.boxed_installer import BoxedInstaller
from grading.errors import MachineError, SubmissionError
from grading.install_box import Attempt, InstallBox
from grading.installer import Installer
from grading.node import find_node
from grading.recipe import Recipe
from grading.seal import digest, seal
from grading.start import StartPlan
from grading.submission import Submission
from grading.uv import find_uv
from grading.workspace import make_private, remove_tree

UNUSED_DAYS = 30
"""Environments that were not used for longer are removed; they can be made again."""

_COMPLETE = "complete"


async def prepare(
    submission: Submission,
    plan: StartPlan,
    cache: Path,
    on_progress: Callable[[str], None],
    box: InstallBox | None = None,
) -> Path:
    """Return the virtual environment with the dependencies of `plan`, which is made under `cache` unless it is there.

    It is installed in boxes of `box`, or else as this user. Raises SubmissionError if they cannot be installed or do not
    hold the program to start, and MachineError if the network, the disk, uv, a missing Node.js or the time limit prevents the installation.
    """
    wanted = plan.requirements
    version = (await asyncio.to_thread(find_node)).version if wanted.node is not None else ""
    recipe = await asyncio.to_thread(read_files, lambda: Recipe.of(submission, wanted, version))
    folder = cache / ("boxed" if box else "environments") / recipe.key
    try:
        venv = await asyncio.to_thread(_complete, folder)
        if venv is None:
            venv = await _install(submission, recipe, folder, on_progress, box)
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
        attempt, _, sealed = marker.read_text().strip().partition(" ")
        venv = folder / attempt / "env"
        if sealed and digest(venv.parent) != sealed:
            return None
        marker.touch()
    except OSError:
        return None
    return venv if (venv / "bin" / "python").exists() else None


async def _install(
    submission: Submission,
    recipe: Recipe,
    folder: Path,
    on_progress: Callable[[str], None],
    box: InstallBox | None,
) -> Path:
    uv = find_uv()
    # What a build makes can be set-user-ID until the environment is sealed.
    await asyncio.to_thread(make_private, folder.parent)
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
        if box:
            await BoxedInstaller(uv, recipe, Attempt(attempt), on_progress, box).install()
            sealed = await asyncio.to_thread(_sealed, attempt)
            await asyncio.to_thread(_mark, folder, f"{attempt.name} {sealed}")
        else:
            await Installer(uv, recipe, attempt, on_progress).install()
            await asyncio.to_thread(_mark, folder, attempt.name)
    finally:
        await lock.release()
    await asyncio.to_thread(_discard_unused, folder.parent)
    return attempt / "env"


def _sealed(attempt: Path) -> str:
    try:
        return seal(attempt)
    except OSError as error:
        raise SubmissionError(
            f"What the installation left cannot be read ({error.strerror}); have it write less deep folders."
        ) from error


def _empty(folder: Path) -> None:
    if folder.exists():
        remove_tree(folder)
    folder.mkdir()


def _mark(folder: Path, text: str) -> None:
    draft = folder / f"{_COMPLETE}.draft"
    draft.write_text(text)
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
