"""From what the caller names, a path or a git URL, to a snapshot of the files that are graded.

    path            the working tree as it is: what is tracked, and what is new and not ignored
    path@ref        a commit, branch or tag of the local repository that the path is in
    url, url@ref    a clone (https, ssh, file, or git@host:org/repo.git)

The path may be a subfolder of a repository. Nothing is ever written into it.
"""

import asyncio
import contextlib
import functools
import hashlib
import os
import re
import shutil
import stat
import urllib.parse
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from grading import git
from grading.errors import MachineError, SubmissionError, UsageError, without_credentials
from grading.links import is_itself
from grading.workspace import Workspace, remove_tree

SIZE_LIMIT = 200 << 20
FILES_LIMIT = 50_000
DEPTH_LIMIT = 100
CHECKED_OUT = 10
"""How many times these limits a whole commit may hold, of which a folder is graded."""
TEXT_LIMIT = 4 << 20

_SECRET = ".env"  # noqa: S105 - the file's name
_GIT = ".git"
NOT_SOURCES = frozenset(
    {_GIT, ".venv", "venv", "node_modules", "__pycache__"}
    | {".mypy_cache", ".ruff_cache", ".pytest_cache", ".tox", ".nox", ".cache"}
)
_LOCAL = "file://"
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_CLONED = re.compile(r"(https?|ssh|file)://", re.IGNORECASE)
_SCP_LIKE = re.compile(r"[\w.-]+@[\w.-]+:(?!//)")


@dataclass(frozen=True)
class Submission:
    """The files of a submission as they were when it was fetched.

    `commit` is None where the files are under no commit; `dirty` says that they differ from it.
    """

    spec: str
    name: str
    root: Path
    commit: str | None = None
    dirty: bool = False

    def text(self, path: Path | str) -> str | None:
        """What the file `path`, relative to the root, holds; None if it is not there, or no file.

        Raises SubmissionError if it holds more than 4 MB: nothing that is written by hand does.
        """
        inner = inside(path)
        try:
            if inner is not None and (self.root / inner).stat().st_size > TEXT_LIMIT:
                raise SubmissionError(f"{inner} holds more than {TEXT_LIMIT >> 20} MB; make it smaller.")
            return None if inner is None else (self.root / inner).read_text("utf-8-sig", errors="replace")
        except (OSError, ValueError):
            return None

    def has(self, path: Path | str) -> bool:
        """Whether there is a file or folder `path`, relative to the root."""
        inner = inside(path)
        return inner is not None and (self.root / inner).exists()

    def digest(self) -> str:
        """Return the SHA-256 of the names, modes and contents of all files: the same for the same tree anywhere."""
        digest = hashlib.sha256()
        for path in sorted(self.root.rglob("*")):
            if path.is_symlink():
                kind, content = "link", os.fsencode(path.readlink())
            elif path.is_file():
                kind = "program" if path.stat().st_mode & stat.S_IXUSR else "file"
                content = path.read_bytes()
            else:
                continue
            name = os.fsencode(path.relative_to(self.root))
            digest.update(b"\0".join([kind.encode(), name, hashlib.sha256(content).digest()]))
        return digest.hexdigest()

    def copy_to(self, destination: Path) -> Path:
        """Copy the files to the new folder `destination`, for one service to run (and write) in.

        Raises MachineError where there is no room for them.
        """
        try:
            return Path(shutil.copytree(self.root, destination, symlinks=True))
        except OSError as error:
            raise MachineError(
                f"The submission could not be copied ({_first_reason(error)}); set TMPDIR to another disk."
            ) from error


def is_url(spec: str) -> bool:
    """Whether `spec` names a repository to clone, not a folder."""
    return bool(_SCHEME.match(spec) or _SCP_LIKE.match(spec))


def inside(path: Path | str) -> Path | None:
    """`path` without its dots, or None if it leads out of the folder that it is relative to."""
    plain = Path(os.path.normpath(path))
    return None if plain.is_absolute() or plain.parts[:1] == ("..",) else plain


def source(spec: str) -> str:
    """Return a digest of the folder or the address that `spec` names, without the commit and without credentials.

    A path of the grader's machine is nobody else's business. Raises UsageError if `spec` names neither.
    """
    path, _ = _split_path(spec)
    place = str(path) if path else without_credentials(_split_url(spec)[0])
    return hashlib.sha256(place.encode(errors="surrogateescape")).hexdigest()[:16]


async def fetch(spec: str, workspace: Workspace) -> Submission:
    """Take a snapshot of what `spec` names (see the module's docstring) into the workspace.

    Raises UsageError if there is no such repository or commit, SubmissionError if it is too large,
    and MachineError if the network, the disk or a time limit of 120 s came between.
    """
    if spec.startswith("-"):
        raise UsageError(f"{spec!r} looks like an option; name a folder or a git URL.")
    path, ref = _split_path(spec)
    if path is None:
        url, ref = _split_url(spec)
        if not url.startswith(_LOCAL):
            return await _from_clone(spec, url, ref, workspace)
        path = Path(urllib.parse.unquote(url.removeprefix(_LOCAL)))
        if not path.is_dir():
            raise UsageError(f"{url} could not be cloned; there is no such folder.")
        return await _from_commit(spec, path, ref, workspace)
    if ref is not None or git.is_bare(path):
        return await _from_commit(spec, path, ref, workspace)
    return await _from_folder(spec, path, workspace)


def _split_path(spec: str) -> tuple[Path | None, str | None]:
    """The folder that `spec` names, and the commit after its last fitting `@`; (None, None) for a URL."""
    if not spec:
        raise UsageError("The name of the repository is empty; name a folder or a git URL.")
    path = Path(spec).expanduser()
    if path.is_dir():
        return path.resolve(), None
    if path.exists():
        raise UsageError(f"{spec} is a file; name the folder of a repository.")
    if is_url(spec):
        return None, None
    for at in [index for index in range(len(spec) - 1, 0, -1) if spec[index] == "@"]:
        folder = Path(spec[:at]).expanduser()
        if folder.is_dir():
            return folder.resolve(), _checked(spec[at + 1 :])
    raise UsageError(f"There is no folder {spec}; name the folder of a repository or a git URL.")


def _split_url(spec: str) -> tuple[str, str | None]:
    scheme = _SCHEME.match(spec)
    if scheme and not _CLONED.match(spec):
        raise UsageError(f"{scheme[0]} cannot be cloned from; use https://, ssh:// or file://, or a folder.")
    # An @ before the path is the user's; in the path it may be part of a folder's name.
    begin = spec.find("/", scheme.end()) if scheme else spec.index(":")
    head, at, ref = spec[begin:].rpartition("@") if begin >= 0 else ("", "", "")
    if not at or ref.endswith(".git"):
        return spec, None
    return spec[:begin] + head, _checked(ref)


def _checked(ref: str) -> str:
    if not ref or ref.startswith("-"):
        raise UsageError(f"{ref!r} is not a commit; write the commit, branch or tag after the @.")
    return ref


async def list_sources(path: Path, workspace: Workspace) -> list[str]:
    """Return the files of the folder `path` that a snapshot of its working tree takes, relative to it.

    Raises SubmissionError where git cannot list them.
    """
    _, names = await _list(path, workspace)
    return [name for name in names if Path(name).name != _SECRET]


async def _list(path: Path, workspace: Workspace) -> tuple[git.Repository | None, Iterable[str]]:
    """Return a folder's sources, and the repository that has them; None if they are under no git."""
    try:
        repository = await asyncio.to_thread(git.read, path, workspace.folder("shadow"))
        if repository and (names := await repository.files()):
            return repository, names
    except git.GitUnavailableError:
        pass
    # Under no git, or in a folder that the repository around it ignores.
    return None, _walk(path)


async def _from_folder(spec: str, path: Path, workspace: Workspace) -> Submission:
    root = workspace.folder("snapshot")
    repository, names = await _list(path, workspace)
    state = await repository.state() if repository else git.State(None, dirty=False)
    await _take(path, names, root)
    return Submission(spec, path.name, root, state.commit, state.dirty)


async def _from_commit(spec: str, path: Path, ref: str | None, workspace: Workspace) -> Submission:
    repository = await asyncio.to_thread(git.read, path, workspace.folder("shadow"))
    if repository is None:
        raise UsageError(f"{path} is not in a repository that git can read.")
    commit = await repository.resolve(ref or "HEAD")
    if commit is None:
        raise UsageError(f"{path} has no {f'commit, branch or tag {ref}' if ref else 'commit yet'}.")
    name = path.name.removesuffix(".git")
    return await _from_checkout(spec, name, repository, commit, workspace)


async def _from_clone(spec: str, url: str, ref: str | None, workspace: Workspace) -> Submission:
    repository = await git.clone(url, workspace.folder("clone"), shallow=ref is None)
    names = ["HEAD"] if ref is None else [f"refs/remotes/origin/{ref}", f"refs/tags/{ref}", ref]
    commit = await repository.resolve(*names)
    if commit is None:
        raise UsageError(f"{url} has no {f'commit, branch or tag {ref}' if ref else 'commit yet'}.")
    name = re.split(r"[/:]", url.rstrip("/"))[-1].removesuffix(".git")
    return await _from_checkout(spec, name, repository, commit, workspace)


async def _from_checkout(
    spec: str, name: str, repository: git.Repository, commit: str, workspace: Workspace
) -> Submission:
    files, folder = workspace.folder("files"), repository.prefix
    _Tally(CHECKED_OUT).add_all(await repository.measure(commit))
    names = await repository.check_out(commit, files)
    inside = [str(Path(name).relative_to(folder)) for name in names if Path(name).is_relative_to(folder)]
    root = workspace.folder("snapshot")
    await _take(files / folder, inside, root)
    for used in (files, repository.directory):
        await asyncio.to_thread(remove_tree, used)
    return Submission(without_credentials(spec), name, root, commit)


def _first_reason(error: OSError) -> str:
    """Return the reason of an error without its paths; copying a tree gathers the errors of all its files."""
    gathered = isinstance(error, shutil.Error) and isinstance(error.args[0], list)
    text = str(error.args[0][0][-1] if gathered else error)
    return text.partition(": '")[0]


async def _take(source: Path, names: Iterable[str], destination: Path) -> None:
    try:
        await asyncio.to_thread(_snapshot, source, names, destination)
    except OSError as error:
        raise MachineError(f"The files of {source.name} could not be copied: {error}.") from error


def _walk(folder: Path) -> Iterator[str]:
    """Yield all files and links that may be sources; a folder that cannot be read has none."""
    waiting = [""]
    while waiting:
        parent = waiting.pop()
        with contextlib.suppress(OSError), os.scandir(folder / parent) as entries:
            for entry in entries:
                name = os.path.join(parent, entry.name)  # noqa: PTH118 - relative, and there may be very many
                if entry.name == _GIT:
                    continue  # a folder, or a file that points to one
                if not entry.is_dir(follow_symlinks=False):
                    yield name
                elif entry.name not in NOT_SOURCES:
                    waiting.append(name)


class _Tally:
    """Counts files, and refuses more than `times` the limits."""

    def __init__(self, times: int = 1) -> None:
        self._times = times
        self._size = self._count = 0
        self._largest = (0, "")

    def add_all(self, files: Iterable[tuple[str, int]]) -> None:
        for name, size in files:
            self.add(name, size)

    def add(self, name: str, size: int) -> None:
        """Count a file. Raises SubmissionError where it is one too many, too large or too deep."""
        self._size, self._count = self._size + size, self._count + 1
        self._largest = max(self._largest, (size, name))
        if name.count("/") > DEPTH_LIMIT:
            raise SubmissionError(
                f"The repository has files more than {DEPTH_LIMIT} folders deep ({name[:40]}...);"
                " put them elsewhere."
            )
        if self._size > SIZE_LIMIT * self._times or self._count > FILES_LIMIT * self._times:
            raise SubmissionError(
                f"The repository holds more than {(SIZE_LIMIT >> 20) * self._times} MB or"
                f" {FILES_LIMIT * self._times} files (the largest so far is {self._largest[1]});"
                " keep data and environments out of it with .gitignore."
            )


def _snapshot(source: Path, names: Iterable[str], destination: Path) -> None:
    """Copy the named files of `source`, as long as they are files, are no secrets and lead nowhere else."""
    real = Path(os.path.realpath(source))
    leads_nowhere_else = functools.cache(is_itself)
    tally = _Tally()
    for name in dict.fromkeys(names):  # git lists a file once for each side of a conflict
        file, copy = real / name, destination / name
        # An index that was not made by git may name any file of this machine.
        if file.name == _SECRET or Path(name).is_absolute() or not leads_nowhere_else(file.parent):
            continue
        try:
            found = file.lstat()
        except (FileNotFoundError, NotADirectoryError):
            continue  # deleted, and still tracked
        if stat.S_ISLNK(found.st_mode):
            _copy_link(file, real, copy)
            continue
        if not stat.S_ISREG(found.st_mode):
            continue  # a submodule, a repository inside this one, a pipe
        tally.add(name, found.st_size)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, copy)
        copy.chmod(stat.S_IMODE(found.st_mode) & 0o777 | stat.S_IRUSR | stat.S_IWUSR)


def _copy_link(link: Path, source: Path, copy: Path) -> None:
    """Copy a symbolic link so that it leads to the same file of the copy; not if it leads out."""
    target = Path(os.path.realpath(link))
    if target.is_relative_to(source) and target.name != _SECRET:
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.symlink_to(os.path.relpath(target, link.parent))
