"""Git, asked in a way that runs nothing that a repository brings along.

A repository's own configuration can name programs (hooks, fsmonitor, filters, pagers); a URL can
name one too (`ext::`). All are turned off on the command line, which outranks the repository.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from grading.command import Completed, run
from grading.errors import MachineError, UsageError

CLONE_TIMEOUT = 120.0
_TIMEOUT = 30.0
_LISTING = 64 << 20

_SAFE = (
    "-c", "core.hooksPath=/dev/null",
    "-c", "core.fsmonitor=false",
    "-c", "core.pager=cat",
    "-c", "gc.auto=0",
    "-c", "maintenance.auto=false",
    "-c", "protocol.ext.allow=never",
    "-c", "submodule.recurse=false",
    # A class's repositories may belong to other users; with the above, listing one is harmless.
    "-c", "safe.directory=*",
)  # fmt: skip
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


@dataclass(frozen=True)
class WorkTree:
    """A folder in a git work tree: the commit that it is at (None before the first), and whether it differs."""

    commit: str | None
    dirty: bool


class GitUnavailableError(MachineError):
    """There is no git on this machine."""


async def is_bare(folder: Path) -> bool:
    """Whether `folder` is a repository without a work tree."""
    answer = await _git(folder, "rev-parse", "--is-bare-repository")
    return answer.code == 0 and answer.stdout.strip() == b"true"


async def files(folder: Path) -> list[str] | None:
    """The files of a work tree's folder, tracked or not, that are not ignored; None if it is no work tree."""
    answer = await _git(folder, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    return _names(answer.stdout) if answer.code == 0 else None


async def work_tree(folder: Path) -> WorkTree:
    """What `folder` is a state of."""
    commit = await resolve(folder, "HEAD")
    status = await _git(
        folder,
        *await _without_filters(folder),
        *(
            "--no-optional-locks",
            "status",
            "--porcelain",
            "-z",
            "--no-renames",
            "--ignore-submodules=all",
            "--",
            ".",
        ),
    )
    return WorkTree(commit, dirty=bool(status.stdout))


async def resolve(folder: Path, *names: str) -> str | None:
    """The commit that the first known of `names` stands for."""
    for name in names:
        answer = await _git(
            folder, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}"
        )
        if answer.code == 0:
            return answer.stdout.decode().strip()
    return None


async def clone(url: str, into: Path, *, shallow: bool) -> None:
    """Clone `url` into the empty folder `into`, without its files.

    Raises UsageError if there is no such repository (or none for us), and MachineError if the
    network or the disk failed, or 120 s were not enough.
    """
    depth = ["--depth=1"] if shallow else []
    words = [
        "clone",
        "--quiet",
        "--no-checkout",
        "--no-recurse-submodules",
        "--template=",
        *depth,
        "--",
        url,
        ".",
    ]
    answer = await _git(into, *words, timeout=CLONE_TIMEOUT)
    if answer.code != 0:
        message = f"{url} could not be cloned; check the address, and that it can be read without a password."
        if _NETWORK.search(answer.output):
            message = f"{url} could not be reached; check the network, or grade a local clone."
            raise MachineError(message, detail=answer.output)
        raise UsageError(message, detail=answer.output)


async def borrow(folder: Path, into: Path) -> None:
    """Make `into` a clone that reads the objects of the repository around `folder`, those on no branch too."""
    place = await _git(folder, "rev-parse", "--path-format=absolute", "--git-common-dir")
    repository = os.fsdecode(place.stdout.removesuffix(b"\n"))
    words = ["clone", "--quiet", "--no-checkout", "--shared", "--template=", "--", repository, "."]
    answer = await _git(into, *words)
    if answer.code != 0:
        raise UsageError(f"{folder} could not be read by git.", detail=answer.output)


async def check_out(clone: Path, commit: str) -> list[str]:
    """Write the files of `commit` into the clone, and return their names."""
    filters = await _without_filters(clone)
    answer = await _git(
        clone, *filters, "checkout", "--quiet", "--force", "--detach", commit, timeout=CLONE_TIMEOUT
    )
    if answer.code != 0:
        raise MachineError(f"The files of commit {commit} could not be written.", detail=answer.output)
    return _names((await _git(clone, "ls-files", "-z")).stdout)


async def prefix(folder: Path) -> Path:
    """Where in its work tree `folder` is, relative to the top."""
    answer = await _git(folder, "rev-parse", "--show-prefix")
    return Path(os.fsdecode(answer.stdout.removesuffix(b"\n")))


async def _without_filters(folder: Path) -> list[str]:
    """Options that blank every configured filter: `.gitattributes` must not choose a program to run."""
    answer = await _git(
        folder, "config", "-z", "--name-only", "--get-regexp", r"^filter\..*\.(clean|smudge|process)$"
    )
    names = _names(answer.stdout)
    required = {name.rsplit(".", 1)[0] + ".required=false" for name in names}
    return [
        word for setting in [*(f"{name}=" for name in names), *sorted(required)] for word in ("-c", setting)
    ]


async def _git(folder: Path, *words: str, timeout: float = _TIMEOUT) -> Completed:
    try:
        return await run(
            ["git", *_SAFE, *words], cwd=folder, env=_environment(), timeout=timeout, keep=_LISTING
        )
    except FileNotFoundError as error:
        raise GitUnavailableError("git is not installed; install it.") from error
    except TimeoutError:
        raise MachineError(
            f"git took longer than {timeout:.0f} s; try again, or grade a local clone."
        ) from None


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
        "GIT_SSH_COMMAND": f"{ssh} -o BatchMode=yes",
    }


def _names(listing: bytes) -> list[str]:
    return [os.fsdecode(name) for name in listing.split(b"\0") if name]
