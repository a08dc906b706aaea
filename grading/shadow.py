"""A git directory of the grader's own over a repository that somebody else has configured.

A repository's configuration can name programs: filters, hooks, monitors, what serves the objects that a partial clone
lacks. No list of them is complete, so git is never led to it: the shadow has a configuration of its own, copies of the
references and the index, and reads the repository's objects from where they are.
"""

import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from grading.errors import SubmissionError
from grading.links import is_itself

POINTER_BYTES = 4096
"""What a file that names a folder, a commit or a branch may hold."""
LISTING_BYTES = 64 << 20
"""What the index, or all packed references, may come to."""
MOST_REFERENCES = 20_000

_COMMIT = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
_FORMAT = re.compile(r"^\s*objectformat\s*=\s*sha256\s*$", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a repository is: what belongs to this work tree, what all of its work trees share, and the tree's top.

    A bare repository has no top.
    """

    own: Path
    common: Path
    top: Path | None


def find(folder: Path) -> Place | None:
    """Return the repository that a folder is in, or is; None where there is none.

    A repository elsewhere counts only if it knows of this work tree: a folder could hold nothing but a pointer to the
    work of somebody else.
    """
    folder = folder.resolve()
    if _is_git_directory(folder, folder):
        return Place(folder, folder, None)
    for top in (folder, *folder.parents):
        own = top / ".git"
        if own.is_file() and (named := _pointer(own)) and named.startswith("gitdir: "):
            own = top / named.removeprefix("gitdir: ")
            if not _is_known(own, top):
                continue
        elif not is_itself(own):
            continue
        common = own / (_pointer(own / "commondir") or ".")
        if _is_git_directory(own, common):
            return Place(own, common, top)
    return None


def _is_known(own: Path, top: Path) -> bool:
    """Whether a git directory elsewhere is that of the work tree at `top`: a further one of its repository's, or a submodule."""
    back = _pointer(own / "gitdir")
    if back is not None and Path(os.path.realpath(own / back)) == top / ".git":
        return True
    place = Path(os.path.realpath(own))
    return any(place.is_relative_to(parent / ".git" / "modules") for parent in top.parents)


def make(place: Place, into: Path) -> None:
    """Write the shadow of a repository into an empty folder.

    Raises OSError where it cannot be read, and SubmissionError where its commits may be somebody else's.
    """
    for file in _borrowed(place):
        raise SubmissionError(
            f"The repository's {file} leads out of it, maybe to the work of somebody else; hand in a clone that was made by"
            " `git clone --no-local`."
        )
    sha256 = _FORMAT.search(_text(place.common / "config", LISTING_BYTES) or "")
    version, extension = ("1", "[extensions]\n\tobjectformat = sha256\n") if sha256 else ("0", "")
    (into / "config").write_text(
        f"[core]\n\trepositoryformatversion = {version}\n\tbare = false\n{extension}", encoding="utf-8"
    )
    (into / "HEAD").write_text(_pointer(place.own / "HEAD") or "ref: refs/heads/main", encoding="utf-8")
    (into / "objects/info").mkdir(parents=True)
    (into / "objects/info/alternates").write_bytes(_quoted(place.common / "objects") + b"\n")
    _copy_references(place.common, into)
    _copy(place.common / "packed-refs", into / "packed-refs")
    _copy(place.common / "shallow", into / "shallow")
    for index in (place.own / "index", *place.own.glob("sharedindex.*")):
        _copy(index, into / index.name)
    (into / "info").mkdir()
    _copy(place.common / "info/exclude", into / "info/exclude")


def _borrowed(place: Place) -> Iterator[Path]:
    """Yield what in a git directory has git read a commit or objects from another place.

    Links between objects have no use, and a list of alternates none that a submission needs: so wherever they lead to.
    """
    common = Path(os.path.realpath(place.common))
    if not Path(os.path.realpath(place.own / "HEAD")).is_relative_to(common):
        yield Path("HEAD")
    alternates = common / "objects/info/alternates"
    if alternates.is_file() and alternates.stat().st_size:
        yield alternates.relative_to(common)
    waiting = [common / "objects"]
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                if entry.is_symlink():
                    yield Path(entry.path).relative_to(common)
                elif entry.is_dir():
                    waiting.append(Path(entry.path))


def _is_git_directory(own: Path, common: Path) -> bool:
    own, common = Path(os.path.realpath(own)), Path(os.path.realpath(common))
    if own != common and own.parent != common / "worktrees":
        return False
    folders = (common / "objects", common / "refs")
    return (own / "HEAD").is_file() and all(one.is_dir() and is_itself(one) for one in folders)


def _pointer(file: Path) -> str | None:
    """Return the line of a small file; None where it is no such file."""
    text = _text(file, POINTER_BYTES)
    return None if text is None else text.rstrip("\n")


def _text(file: Path, most: int) -> str | None:
    try:
        if not file.is_file() or file.stat().st_size > most:
            return None
        return os.fsdecode(file.read_bytes())
    except OSError:
        return None


def _quoted(path: Path) -> bytes:
    """Return a path as git reads it in a list of alternates, whatever characters it has."""
    raw = os.fsencode(path.resolve())
    if b"\n" not in raw and not raw.startswith(b'"'):
        return raw
    escaped = raw.replace(b"\\", b"\\\\").replace(b'"', b'\\"').replace(b"\n", b"\\n")
    return b'"' + escaped + b'"'


def _copy(file: Path, copy: Path) -> None:
    if file.is_file() and not file.is_symlink() and file.stat().st_size <= LISTING_BYTES:
        shutil.copyfile(file, copy)


def _copy_references(common: Path, into: Path) -> None:
    (into / "refs").mkdir()
    for count, file in enumerate(_files(common / "refs")):
        if count == MOST_REFERENCES:
            return
        value = _pointer(file)
        if value and (_COMMIT.fullmatch(value) or value.startswith("ref: refs/")):
            copy = into / file.relative_to(common)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(os.fsencode(value) + b"\n")


def _files(folder: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not (Path(parent) / name).is_symlink()]
        yield from (Path(parent) / name for name in names if not (Path(parent) / name).is_symlink())
