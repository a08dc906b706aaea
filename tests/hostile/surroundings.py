"""What is around a grading run and has to stay as it was: the instructor's home, other grades, the grader, this machine."""

import hashlib
import json
import os
import re
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from chaos.toxiproxy import find_server
from tests.docker import PYTHON

ROOT = Path(__file__).parents[2]
GRADER = ("grading", "lab", "chaos", "exercises")
REAPER = Path(__file__).parent / "reaper.py"
CGROUPS = Path("/sys/fs/cgroup")
SECRETS = (".ssh/id_ed25519", ".netrc", ".config/grading/key", "grades.csv")
VARIABLES = (
    *("GRADING_KEY", "UV_PUBLISH_TOKEN", "PIP_TOKEN", "AWS_SECRET_ACCESS_KEY"),
    *("UV_INDEX_CLASS_USERNAME", "UV_INDEX_CLASS_PASSWORD"),
)
PASSED_ON = re.compile(
    r"LANG|SSL_CERT_\w+|UV_\w*INDEX\w*|PIP_\w+|UV_PYTHON_\w+|((https?|no)_proxy)|DOCKER_\w+|(PYTHON|TOXIPROXY)_IMAGE",
    re.IGNORECASE,
)
GRACE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Ended:
    """How the grader ended, and the command lines of what it has left running."""

    code: int
    stdout: str
    stderr: str
    seconds: float
    left: tuple[str, ...]


class Surroundings:
    """An instructor's home, results and cache in `root`, with a canary in all that is secret."""

    def __init__(self, root: Path, cache: Path) -> None:
        self.canary = f"canary-{secrets.token_hex(16)}"
        self.root, self.cache = root, cache
        self.home, self.out, self.marks, self.temporary = (
            root / name for name in ("home", "results", "marks", "tmp")
        )
        self.submissions = root / "submissions"

    @classmethod
    def make(cls, root: Path, cache: Path) -> Self:
        """Write them."""
        self = cls(root, cache)
        for folder in (self.home, self.out, self.marks, self.temporary, self.submissions):
            folder.mkdir()
        for name in SECRETS:
            file = self.home / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(f"{self.canary}\n", encoding="utf-8")
            file.chmod(0o400)
        other = self.out / "other"
        other.mkdir()
        (other / "report.json").write_text('{"points": 0}', encoding="utf-8")
        return self

    @property
    def places(self) -> dict[str, str]:
        """What submissions are told of where things are."""
        return {
            "@HOME@": str(self.home),
            "@CACHE@": str(self.cache),
            "@OUT@": str(self.out),
            "@MARK@": str(self.marks),
            "@PATH@": os.environ["PATH"],
            "@IMAGE@": PYTHON,
        }

    def run(self, *words: str, seconds: float) -> Ended:
        """Run the grader to its end. Raises subprocess.TimeoutExpired after `seconds` and a grace."""
        report = self.root / "left.json"
        argv = [sys.executable, str(REAPER), str(report), sys.executable, "-m", "grading", *words]
        environment = self._environment()
        if "docker" in words and (server := find_server()):
            environment["TOXIPROXY_SERVER"] = str(server)
        began = time.monotonic()
        with subprocess.Popen(
            argv, cwd=ROOT, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as process:
            try:
                stdout, stderr = process.communicate(timeout=seconds + GRACE_SECONDS)
            except subprocess.TimeoutExpired:
                process.terminate()
                process.communicate()
                raise
        left = json.loads(report.read_text(encoding="utf-8"))
        return Ended(process.returncode, stdout, stderr, time.monotonic() - began, tuple(left))

    def kept(self) -> dict[str, str]:
        """Return a digest, with the mode, of everything that has to stay as it is, by its name."""
        found = dict(_digests(self.home)) | dict(_digests(self.out / "other")) | dict(_digests(self.marks))
        for package in GRADER:
            found |= {name: digest for name, digest in _digests(ROOT / package) if name.endswith(".py")}
        for complete in (self.cache / "environments").glob("*/complete"):
            found |= dict(_digests(complete.parent / complete.read_text().strip()))
        return found

    def left(self) -> list[str]:
        """Return the folders and mounts that a run has left."""
        folders = [str(path) for path in self.temporary.glob("*") if path.name != f"grading-{os.getuid()}"]
        folders += map(str, self.temporary.glob("grading-*/*"))
        known = {self.home, self.out, self.marks, self.temporary, self.submissions, self.root / "left.json"}
        folders += map(str, set(self.root.iterdir()) - known)
        mounts = Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()
        return folders + [line for line in mounts if str(self.root) in line]

    def written(self) -> str:
        """Return all that the grader has written into the folder of results."""
        files = [path for path in self.out.rglob("*") if path.is_file()]
        return "\n".join(path.read_text(encoding="utf-8", errors="replace") for path in files)

    def _environment(self) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if PASSED_ON.fullmatch(name)}
        return {
            **inherited,
            **dict.fromkeys(VARIABLES, self.canary),
            "PATH": f"{Path(sys.base_prefix) / 'bin'}:{os.environ['PATH']}",
            "HOME": str(self.home),
            "TMPDIR": str(self.temporary),
            "GRADING_CACHE": str(self.cache),
            "UV_CACHE_DIR": str(self.cache / "uv"),
        }


def empty_cgroups() -> set[str]:
    """Return the control groups that nothing runs in, but for the one that Docker's engine keeps between containers."""
    files = CGROUPS.rglob("cgroup.events")
    groups = {str(file.parent) for file in files if "populated 0" in _text(file)}
    return {group for group in groups if not group.endswith("/docker")}


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii")
    except OSError:
        return ""  # gone meanwhile


def _digests(folder: Path) -> Iterator[tuple[str, str]]:
    for path in sorted(folder.rglob("*")):
        if path.is_symlink():
            yield str(path), f"-> {path.readlink()}"
        elif path.is_file():
            yield str(path), f"{path.stat().st_mode:o} {hashlib.sha256(path.read_bytes()).hexdigest()}"
