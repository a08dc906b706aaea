"""This machine's Node.js, and what npm has to do for a submission."""

import errno
import functools
import json
import os
import re
import shutil
import stat
import subprocess
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from grading.errors import MachineError, SubmissionError
from grading.links import is_itself
from grading.start.package_json import FILE

LOCKS: Final = ("package-lock.json", "npm-shrinkwrap.json")
FILES: Final = (FILE, *LOCKS, "yarn.lock", "pnpm-lock.yaml", ".npmrc")
"""What decides which packages npm installs; it reads the lock of yarn too, as far as it can."""
MODULES: Final = "node_modules"
PROGRAMS: Final = ".bin"
"""Where in the modules the programs of the packages are."""
REGISTRY: Final = "https://registry.npmjs.org"
_AFTERWARDS: Final = ("install", "postinstall")
"""Scripts of the submission's own that npm runs after an installation."""
_QUIET: Final = ("--no-audit", "--no-fund", "--no-update-notifier", "--no-progress", "--color=false")
_RETRIES: Final = ("--fetch-retries=2", "--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=5000")
"""Milliseconds: by itself npm waits a minute for a registry that is down."""
_REASON_LINES: Final = 12
_LOCAL: Final = re.compile(r'"(?:file|link|workspace):|"link": true|"workspaces"\s*:')
_SECONDS: Final = 20.0
_LOCK_BYTES: Final = 64 << 20
_BUILT_BYTES: Final = 200 << 20
_BUILT_FILES: Final = 10_000
"""What a build may make: it has to fit on the disk of a box with what the service writes."""
_MOST_PROGRAMS: Final = 1_000


@dataclass(frozen=True, slots=True)
class Node:
    """The program itself, npm's script, and the version, such as `v20.19.0`."""

    program: Path
    npm: Path
    version: str

    @property
    def folders(self) -> tuple[Path, ...]:
        """What a box has to have of it beside the system."""
        found = (self.program, self.npm.parent.parent)
        return tuple(path for path in found if not path.is_relative_to("/usr"))


@functools.cache
def find_node() -> Node:
    """Return the Node.js on PATH. Raises MachineError if there is none, or none with npm."""
    advice = "install it from https://nodejs.org"
    found = shutil.which("node")
    if found is None:
        raise MachineError(f"The submission needs Node.js, which is not on this machine; {advice}.")
    # What is on PATH may be a shim of a version manager.
    words = [found, "-p", "process.execPath + '\\n' + process.version"]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=_SECONDS, check=True)  # noqa: S603
        path, version = done.stdout.split()
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        raise MachineError(f"{found} does not run; {advice}.", detail=str(error)) from error
    program = Path(path).resolve()
    beside = program.parent.parent / "lib" / MODULES / "npm" / "bin" / "npm-cli.js"
    on_path = shutil.which("npm")
    npm = beside if beside.is_file() else Path(on_path).resolve() if on_path else None
    if npm is None:
        raise MachineError(f"The submission needs npm, which is not on this machine; {advice}.")
    return Node(program, npm, version)


def registry(variables: Mapping[str, str]) -> str:
    """Return the address of the registry that npm's variables name, or that of the public one."""
    names = ("npm_config_registry", "NPM_CONFIG_REGISTRY")
    return next((variables[name] for name in names if variables.get(name)), REGISTRY)


def variables_of(environment: Mapping[str, str]) -> dict[str, str]:
    """Return what npm needs of these variables: the registry and the certificates."""
    found = {"npm_config_registry": registry(environment)}
    if certificates := environment.get("NODE_EXTRA_CA_CERTS") or environment.get("SSL_CERT_FILE"):
        found["NODE_EXTRA_CA_CERTS"] = certificates
    return found


def leads_to_code(root: Path, folder: Path) -> bool:
    """Whether what a package.json asks for, or does afterwards, takes more of the repository than the files of `FILES`."""
    package = json.loads((root / folder / FILE).read_text(encoding="utf-8"))
    scripts = package.get("scripts")
    if isinstance(scripts, dict) and any(name in scripts for name in _AFTERWARDS):
        return True
    texts = (root / folder / name for name in (FILE, *LOCKS))
    return any(_LOCAL.search(path.read_text(errors="replace")) for path in texts if path.is_file())


def install_words(folder: Path) -> list[str]:
    """Return npm's words that fetch the packages of a folder and run nothing of theirs."""
    locked = any((folder / name).is_file() for name in LOCKS)
    return ["ci" if locked else "install", "--ignore-scripts", *_QUIET, *_RETRIES]


def script_names(folder: Path) -> frozenset[str]:
    """Return the names of the scripts in a folder's package.json; to be read before anything of the submission's runs."""
    scripts = json.loads((folder / FILE).read_text(encoding="utf-8", errors="replace")).get("scripts")
    return frozenset(scripts) if isinstance(scripts, dict) else frozenset()


def build_words(folder: Path, scripts: Collection[str], *, build: bool) -> Iterator[list[str]]:
    """Yield npm's words that run what packages, and the submission itself, do after the installation."""
    if _has_install_scripts(folder / MODULES / ".package-lock.json"):
        yield ["rebuild", *_QUIET]
    for name in (*_AFTERWARDS, *(["build"] if build else [])):
        if name in scripts:
            yield ["run", name, *_QUIET]


def _has_install_scripts(lock: Path) -> bool:
    try:
        # Code of the submission's may have run before npm did: a pipe would be read for ever.
        if not lock.is_file() or lock.stat().st_size > _LOCK_BYTES:
            return False
        return '"hasInstallScript": true' in lock.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return False


def check_in_place(root: Path, folder: Path) -> None:
    """Raise SubmissionError if a build has put a link in place of a folder below `root` that the grader goes on with."""
    if not is_itself(root.resolve() / folder.relative_to(root)):
        raise SubmissionError(
            f"The build put a link in place of {folder.relative_to(root)}; leave the folder in place."
        )


def reason_in(output: str) -> str:
    """Return what npm says of a failure: its first lines of error, which its help follows; else all that was printed."""
    told = [line for line in output.splitlines() if line.startswith("npm error")]
    return "\n".join(told[:_REASON_LINES]) or output


def link_node(node: Node, programs: Path) -> None:
    """Put Node and npm into the folder of an environment's programs."""
    (programs / "node").symlink_to(node.program)
    (programs / "npm").symlink_to(node.npm)


def link_programs(modules: Path, programs: Path) -> None:
    """Put the packages' programs into the folder of an environment's programs.

    Raises SubmissionError if a build has put a link in place of that folder.
    """
    if programs.is_symlink():
        raise SubmissionError(
            "The build replaced the folder of its environment's programs; leave it in place."
        )
    folder = modules / PROGRAMS
    found = sorted(folder.iterdir()) if folder.is_dir() else []
    for path in found[:_MOST_PROGRAMS]:
        if not os.path.lexists(programs / path.name):
            (programs / path.name).symlink_to(path)


def built(project: Path, original: Path) -> list[Path]:
    """Return what the script `build` has made in a copy of the folder `original`: files and folders that it lacks."""
    found = (path for path in sorted(project.iterdir()) if path.name != MODULES)
    return [path for path in found if not os.path.lexists(original / path.name)]


def copy_built(project: Path, destination: Path) -> None:
    """Copy what the script `build` has made in `project` into another copy of the submission.

    Raises SubmissionError where that cannot be copied or is too much, and MachineError where there is no room for it.
    """
    made = built(project, destination)
    _check_size(made)
    for path in made:
        try:
            if path.is_dir() and not path.is_symlink():
                shutil.copytree(path, destination / path.name, symlinks=True)
            else:
                shutil.copy2(path, destination / path.name, follow_symlinks=False)
        except OSError as error:
            kind = MachineError if error.errno == errno.ENOSPC else SubmissionError
            raise kind(f"What `npm run build` has made could not be copied ({error}).") from error
        _let_write(destination / path.name)


def _check_size(made: Iterable[Path]) -> None:
    size = count = 0
    for path in made:
        for entry in _below(path):
            size, count = size + entry.lstat().st_size, count + 1
            if size > _BUILT_BYTES or count > _BUILT_FILES:
                raise SubmissionError(
                    f"`npm run build` has made more than {_BUILT_BYTES >> 20} MB or {_BUILT_FILES} files; make it build less."
                )


def _let_write(copy: Path) -> None:
    """Make a copy of what is read-only in an environment writable again."""
    for path in _below(copy):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode | stat.S_IWUSR)


def _below(path: Path) -> Iterator[Path]:
    """Yield a path and, if it is a folder and no link to one, all below it."""
    yield path
    if not path.is_symlink():
        yield from path.rglob("*")


def modules_of(venv: Path, folder: Path) -> Path:
    """Return where the packages for a package.json in `folder` are: beside the environment, where npm has put them."""
    return venv.parent / "project" / folder / MODULES
