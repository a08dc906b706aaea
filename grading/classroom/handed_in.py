"""What of a student's repository is graded: a folder as it is, a commit, or a branch's last commit before the deadline."""

import asyncio
import urllib.parse
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from grading import git
from grading.classroom.roster import LateRule, Student
from grading.errors import UsageError, without_credentials
from grading.submission import is_url
from grading.workspace import Workspace, remove_tree

_LOCAL = "file://"
_NEVER = "There is no commit of {} before {:%Y-%m-%d %H:%M %Z}; nothing was handed in."


@dataclass(frozen=True, slots=True)
class HandedIn:
    """What is graded, as `grading.submission.fetch` takes it; without a commit, the folder as it is.

    `committed` is when the commit was made, as its committer says.
    """

    spec: str
    commit: str | None = None
    committed: datetime | None = None


def last_moment(student: Student, late: LateRule | None) -> datetime | None:
    """Return the end of the time in which a commit counts; None where there is no end.

    Without a late rule that is the deadline.
    """
    if student.deadline is None or (late and late.days is None):
        return None
    return student.deadline + timedelta(days=late.days or 0 if late else 0)


async def find(student: Student, until: datetime | None, workspace: Workspace) -> HandedIn:
    """Find what a student has handed in: the last commit not after `until` of the roster's branch, or of the default one.

    A commit or tag of the roster counts whenever it was made. Nothing of the repository is run. Raises UsageError where
    there is no such repository or commit, SubmissionError where git cannot read it, and MachineError if the network, the
    disk or a time limit came between.
    """
    folder = _folder(student.repository)
    if folder and student.commit is None and student.deadline is None:
        return HandedIn(student.repository)
    repository = await _history(student.repository, folder, workspace)
    try:
        return await _find(student, until, repository, remote=folder is None)
    finally:
        await asyncio.to_thread(remove_tree, repository.directory)


async def _find(
    student: Student, until: datetime | None, repository: git.Repository, *, remote: bool
) -> HandedIn:
    where = without_credentials(student.repository)
    name = await _name(student.commit, repository, remote=remote) if student.commit else "HEAD"
    if name is None:
        raise UsageError(f"{where} has no commit, branch or tag {student.commit}.")
    before = int(until.timestamp()) if until and await repository.branch(name) else None
    found = await repository.last_commit(name, before)
    if found is None and until and await repository.resolve(name):
        raise UsageError(_NEVER.format(where, until))
    if found is None:
        raise UsageError(f"{where} has no commit yet; nothing was handed in.")
    commit, seconds = found
    return HandedIn(f"{student.repository}@{commit}", commit, datetime.fromtimestamp(seconds, UTC))


async def _name(ref: str, repository: git.Repository, *, remote: bool) -> str | None:
    """Return the name by which a repository knows a commit, branch or tag; None where it does not."""
    names = [f"refs/remotes/origin/{ref}", f"refs/tags/{ref}", ref] if remote else [ref]
    for name in names:
        if await repository.resolve(name):
            return await repository.branch(name) or name
    return None


def _folder(repository: str) -> Path | None:
    if repository.startswith(_LOCAL):
        return Path(urllib.parse.unquote(repository.removeprefix(_LOCAL)))
    return None if is_url(repository) else Path(repository).expanduser()


async def _history(spec: str, folder: Path | None, workspace: Workspace) -> git.Repository:
    if folder is None:
        return await git.clone(spec, workspace.folder("history"), commits_only=True)
    if not await asyncio.to_thread(folder.is_dir):
        raise UsageError(f"There is no folder {folder}; name the folder of a repository or a git URL.")
    repository = await asyncio.to_thread(git.read, folder, workspace.folder("history"))
    if repository is None:
        raise UsageError(f"{folder} is in no repository that git can read.")
    return repository
