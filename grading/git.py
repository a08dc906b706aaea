"""Git, asked in a way that runs nothing that a repository brings along.

A repository of this machine is read by way of a shadow (`grading.shadow`), which has none of its configuration. A URL can
name a program too (`ext::`); what is cloned from the network has the configuration that git has just written.
"""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from grading import shadow
from grading.command import Completed, TooMuchOutputError, run
from grading.errors import MachineError, SubmissionError, UsageError

CLONE_TIMEOUT = 120.0
_TIMEOUT = 30.0
_LISTING = 64 << 20
_MEMORY = 2 << 30
"""Bytes for git over a repository of somebody else's: its objects may stand for more files than there is room for."""

_SAFE = (
    "-c", "core.hooksPath=/dev/null",
    "-c", "core.fsmonitor=false",
    "-c", "core.pager=cat",
    "-c", "gc.auto=0",
    "-c", "maintenance.auto=false",
    "-c", "protocol.ext.allow=never",
    "-c", "submodule.recurse=false",
)  # fmt: skip
_NO_CONFIGURATION = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
}
_INHERITED = re.compile(
    r"PATH|HOME|USER|LOGNAME|TMPDIR|SSH_AUTH_SOCK|XDG_CONFIG_HOME|GIT_SSL_\w+|SSL_CERT_(FILE|DIR)|CURL_CA_BUNDLE"
    r"|GIT_SSH_COMMAND|((https?|all|no)_proxy)",
    re.IGNORECASE,
)
_NETWORK = re.compile(
    r"could not resolve|couldn't connect|failed to connect|connection (timed out|refused|reset|closed)|network is"
    r" unreachable|no route to host|operation timed out|early eof|gnutls|ssl|returned error: (429|5\d\d)"
    r"|no space left|disk quota|cannot fork",
    re.IGNORECASE,
)
_DISK = re.compile(r"no space left|disk quota|read-only file system|cannot fork", re.IGNORECASE)


class GitUnavailableError(MachineError):
    """There is no git on this machine."""


@dataclass(frozen=True, slots=True)
class State:
    """The commit that a work tree is at (None before the first), and whether it differs."""

    commit: str | None
    dirty: bool


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository that is read by the git directory `directory`, a shadow or a clone of the grader's own.

    `folder` is the part of its work tree, from `top` on, that is asked for.
    """

    directory: Path
    top: Path
    folder: Path

    @property
    def prefix(self) -> Path:
        """Where in its work tree the folder is."""
        return self.folder.relative_to(self.top)

    async def files(self) -> list[str]:
        """Return the files of the folder, tracked or not, that are not ignored."""
        answer = await self._ask("ls-files", "-z", "--cached", "--others", "--exclude-standard")
        return _names(answer.stdout)

    async def state(self) -> State:
        """Return what the folder is a state of."""
        options = ["--porcelain", "-z", "--no-renames", "--ignore-submodules=all"]
        status = await self._ask("--no-optional-locks", "status", *options, "--", ".")
        return State(await self.resolve("HEAD"), dirty=bool(status.stdout))

    async def resolve(self, *names: str) -> str | None:
        """Return the commit that the first known of `names` stands for."""
        for name in names:
            words = ["rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}"]
            answer = await self._ask(*words)
            if answer.code == 0:
                return answer.stdout.decode().strip()
        return None

    async def branch(self, name: str) -> str | None:
        """Return the full name of the branch that a name stands for; None for a commit, a tag or what is unknown."""
        words = ["rev-parse", "--symbolic-full-name", "--verify", "--quiet", "--end-of-options", name]
        full = (await self._ask(*words)).stdout.decode().strip()
        return full if full.startswith(("refs/heads/", "refs/remotes/")) or full == "HEAD" else None

    async def last_commit(self, name: str, before: int | None = None) -> tuple[str, int] | None:
        """Return the last commit of a branch, and when it was made (seconds since 1970, as its committer says).

        With `before`, the last one on the branch's own line that was not made later. None where there is none.
        """
        words = ["rev-list", "--max-count=1", "--first-parent", "--timestamp"]
        if before is not None:
            words.append(f"--min-age={before}")
        answer = await self._ask(*words, "--end-of-options", name, "--")
        seconds, _, commit = answer.stdout.decode().strip().partition(" ")
        return (commit, int(seconds)) if answer.code == 0 and commit else None

    async def measure(self, commit: str) -> Iterator[tuple[str, int]]:
        """Return the files of a commit with their sizes, without writing any.

        Raises SubmissionError if they are not all there, or too many to be listed.
        """
        answer = await self._ask("ls-tree", "-r", "-l", "-z", "--full-tree", commit)
        if answer.code != 0:
            raise _unreadable(commit, answer.output)
        return _sizes(answer.stdout)

    async def check_out(self, commit: str, into: Path) -> list[str]:
        """Write the files of a commit into an empty folder, and return their names.

        Raises SubmissionError if the commit has no files that can be written.
        """
        apart = Repository(self.directory, into, into)
        (self.directory / "index").unlink(missing_ok=True)
        answer = await apart._ask("checkout", "--quiet", "--force", "--detach", commit, timeout=CLONE_TIMEOUT)
        if answer.code != 0:
            if _DISK.search(answer.output):
                message = f"The files of commit {commit} could not be written; make room, or set TMPDIR."
                raise MachineError(message, detail=answer.output)
            raise _unreadable(commit, answer.output)
        return _names((await apart._ask("ls-files", "-z")).stdout)

    async def _ask(self, *words: str, timeout: float = _TIMEOUT) -> Completed:
        where = [f"--git-dir={self.directory}", f"--work-tree={self.top}"]
        try:
            return await _git(self.folder, *where, *words, timeout=timeout, own=True)
        except TimeoutError:
            raise SubmissionError(
                f"git cannot read the repository within {timeout:.0f} s; leave only files in it that are handed in."
            ) from None
        except TooMuchOutputError:
            raise SubmissionError(
                "The repository names more files than git can list; keep data out of it with .gitignore."
            ) from None


def read(folder: Path, into: Path) -> Repository | None:
    """Return the repository that a folder of this machine is in, by its shadow in the empty folder `into`.

    None where it is in none, or in one that cannot be read.
    """
    place = shadow.find(folder)
    if place is None:
        return None
    try:
        shadow.make(place, into)
    except OSError:
        return None
    return Repository(into, place.top or into, folder.resolve() if place.top else into)


def is_bare(folder: Path) -> bool:
    """Whether a folder is a repository without a work tree."""
    place = shadow.find(folder)
    return place is not None and place.top is None


async def clone(url: str, into: Path, *, shallow: bool = False, commits_only: bool = False) -> Repository:
    """Clone `url` into the empty folder `into`, without its files; `commits_only` asks for no more than the history.

    Raises UsageError if there is no such repository (or none for us), and MachineError if the
    network or the disk failed, or 120 s were not enough.
    """
    less = ["--depth=1"] if shallow else ["--filter=tree:0"] if commits_only else []
    options = ["--quiet", "--no-checkout", "--no-recurse-submodules", "--template=", *less]
    try:
        answer = await _git(into, "clone", *options, "--", url, ".", timeout=CLONE_TIMEOUT)
    except TimeoutError:
        raise MachineError(
            f"Cloning {url} took longer than {CLONE_TIMEOUT:.0f} s; try again, or grade a local clone."
        ) from None
    if answer.code != 0:
        message = f"{url} could not be cloned; check the address, and that it can be read without a password."
        if _NETWORK.search(answer.output):
            message = f"{url} could not be reached; check the network, or grade a local clone."
            raise MachineError(message, detail=answer.output)
        raise UsageError(message, detail=answer.output)
    return Repository(into / ".git", into, into)


async def _git(folder: Path, *words: str, timeout: float = _TIMEOUT, own: bool = False) -> Completed:
    """Run git; `own` is without the user's configuration, whose filters a `.gitattributes` could call.

    Raises TimeoutError after `timeout` seconds, and TooMuchOutputError where it prints more than a listing can hold.
    """
    environment = {**_environment(), **(_NO_CONFIGURATION if own else {})}
    try:
        return await run(
            ["git", *_SAFE, *words],
            cwd=folder,
            env=environment,
            timeout=timeout,
            most=_LISTING,
            memory=_MEMORY if own else None,
        )
    except FileNotFoundError as error:
        raise GitUnavailableError("git is not installed; install it.") from error


def _environment() -> Mapping[str, str]:
    # An allow-list: GIT_DIR and its like are set where a grader is run from a hook.
    inherited = {name: value for name, value in os.environ.items() if _INHERITED.fullmatch(name)}
    ssh = inherited.get("GIT_SSH_COMMAND", "ssh")
    return inherited | {
        "LC_ALL": "C",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "true",
        "SSH_ASKPASS": "true",
        "GCM_INTERACTIVE": "never",
        "GIT_LFS_SKIP_SMUDGE": "1",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_SSH_COMMAND": f"{ssh} -o BatchMode=yes",
    }


def _unreadable(commit: str, output: str) -> SubmissionError:
    return SubmissionError(
        f"The files of commit {commit} cannot be read; hand in a commit that `git clone` checks out.",
        detail=output,
    )


def _sizes(listing: bytes) -> Iterator[tuple[str, int]]:
    """Yield the files that `ls-tree -l` lists; a submodule has no size, and is none."""
    for line in listing.split(b"\0"):
        facts, _, name = line.partition(b"\t")
        size = facts.rpartition(b" ")[2]
        if size.isdigit():
            yield os.fsdecode(name), int(size)


def _names(listing: bytes) -> list[str]:
    return [os.fsdecode(name) for name in listing.split(b"\0") if name]
