"""Installs in a box: what runs there sees no other file than it needs, no secret, and of the network package indexes alone.

What uv does before anything of a submission's runs may use a cache that all submissions share. What runs a submission's
own code, as a build does, gets an empty one, and none of the credentials for the indexes.

    <attempt>/     what is here belongs to one installation; the folders in it are given to its boxes one by one
        env/       the environment
        project/   a copy of the files that uv reads
        work/      tmp, home and cache; removed at the end
"""

import contextlib
import os
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from chaos.history import Log
from chaos.process import Limits, Process
from chaos.recorder import Recorder
from chaos.sandbox import outlet
from chaos.sandbox.bubblewrap import Box
from chaos.sandbox.program import DEPTH
from grading.command import Completed
from grading.index_proxy import IndexProxy, index_addresses
from grading.node import Node, variables_of
from grading.runtime import SYSTEM_PATH
from grading.workspace import Workspace

LIMITS: Final = Limits(file_size=4 * 2**30)
_PROXY: Final = f"http://127.0.0.1:{outlet.PORT}"
_PASSED_ON: Final = re.compile(
    r"UV_(DEFAULT_INDEX|INDEX(_\w+)?|EXTRA_INDEX_URL|FIND_LINKS|NO_INDEX|NO_CONFIG|EXCLUDE_NEWER|HTTP_\w+|REQUEST_TIMEOUT"
    r"|NATIVE_TLS|SYSTEM_CERTS|INSECURE_HOST|CONCURRENT_\w+)|SSL_CERT_(FILE|DIR)"
)
_SECRET: Final = re.compile(r"UV_INDEX_\w+_(USERNAME|PASSWORD)")
_CREDENTIALS: Final = re.compile(r"(?<=://)[^@/\s\"']+@")
_SYSTEM_SETTINGS: Final = Path("/etc/uv/uv.toml")


@dataclass(frozen=True, slots=True)
class Trust:
    """What a box has of the network: `index` leads to package indexes, `shared` is the cache and the credentials for them."""

    index: bool
    shared: bool


OFFLINE: Final = Trust(index=False, shared=False)
FETCHING: Final = Trust(index=True, shared=True)
"""For what runs nothing of a submission's."""
FETCHING_ALONE: Final = Trust(index=True, shared=False)
"""For npm, which runs nothing of a submission's then, but shares no cache."""
BUILDING: Final = Trust(index=True, shared=False)


@dataclass(frozen=True, slots=True)
class Attempt:
    """The folder of one installation."""

    folder: Path

    @property
    def env(self) -> Path:
        return self.folder / "env"

    @property
    def project(self) -> Path:
        return self.folder / "project"

    @property
    def work(self) -> Path:
        return self.folder / "work"

    @property
    def writable(self) -> tuple[Path, ...]:
        """What the boxes may write: folders that none of them can put a link in place of."""
        return (self.env, self.project, *(self.work / name for name in ("tmp", "home", "cache")))

    def make(self) -> None:
        """Make what the boxes of this installation need."""
        for folder in (self.env, self.work, *self.writable):
            folder.mkdir(exist_ok=True)


@dataclass(frozen=True, slots=True)
class InstallBox:
    """Runs commands of one installation in boxes. `settings` are those of chaos.sandbox.bubblewrap, `cache` is the shared one."""

    bubblewrap: Path
    settings: Path
    workspace: Workspace
    cache: Path
    proxy: IndexProxy = field(default_factory=lambda: IndexProxy(index_addresses(os.environ, uv_settings())))

    async def run(
        self,
        argv: Sequence[str],
        *,
        attempt: Attempt,
        cwd: Path,
        trust: Trust,
        managed: Path,
        timeout: float,
        node: Node | None = None,
    ) -> tuple[Completed, str]:
        """Run a command to its end; returns how it ended, and why it was ended if it was.

        uv keeps its own interpreters in the folder `managed`. What `node` needs is there too. Raises TimeoutError after `timeout` seconds.
        """
        pythons = installed_pythons(managed)
        shared = (self.cache,) if trust.shared else ()
        box = Box(
            self.bubblewrap,
            self.settings,
            (
                *_tool(argv[0]),
                *(node.folders if node else ()),
                *pythons,
                *_local_indexes(),
                *_certificates(),
                *self._uv_settings(trust),
            ),
            (*attempt.writable, *shared),
            tuple((link, link.readlink()) for link in _in(managed) if link.is_symlink()),
        )
        recorder = Recorder()
        async with contextlib.AsyncExitStack() as stack:
            before = box.words(cwd, network=trust.index)
            if trust.index:
                door = await stack.enter_async_context(self.proxy.at(self.workspace.folder("outlet")))
                before = [sys.executable, "-m", "chaos.sandbox.outlet", str(door), *before]
            process = await stack.enter_async_context(
                await Process.start(
                    argv,
                    cwd=Path("/"),
                    env={
                        **self._environment(attempt, trust, pythons, node),
                        "UV_PYTHON_INSTALL_DIR": str(managed),
                    },
                    recorder=recorder,
                    limits=LIMITS,
                    before=before,
                    depth=DEPTH,
                )
            )
            exited = await process.wait_exit(timeout)
            if exited is None:
                raise TimeoutError
        said = "\n".join(event.text for event in recorder.history().of(Log))
        return Completed(exited.code, b"", said.encode()), exited.cause or ""

    def _environment(
        self, attempt: Attempt, trust: Trust, pythons: Sequence[Path], node: Node | None
    ) -> dict[str, str]:
        """Return the variables of a command. An allow-list: builds run the submission's code."""
        given = {name: value for name, value in os.environ.items() if _PASSED_ON.fullmatch(name)}
        if not trust.shared:
            given = {
                name: _CREDENTIALS.sub("", value)
                for name, value in given.items()
                if not _SECRET.fullmatch(name)
            }
        if trust.index:
            given |= dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), _PROXY)
            given |= dict.fromkeys(("http_proxy", "https_proxy", "all_proxy"), _PROXY)
        programs = [folder / "bin" for folder in pythons]
        if node:
            given |= variables_of(os.environ) | {"npm_config_cache": str(attempt.work / "cache")}
            programs.insert(0, attempt.env / "bin")
        return {
            **given,
            **self.workspace.environment,
            "PATH": os.pathsep.join([*map(str, programs), SYSTEM_PATH]),
            "LANG": "C.UTF-8",
            "HOME": str(attempt.work / "home"),
            "TMPDIR": str(attempt.work / "tmp"),
            "UV_CACHE_DIR": str(self.cache if trust.shared else attempt.work / "cache"),
            "UV_LINK_MODE": "copy",  # a link would let whoever writes to the environment write to the cache
            "UV_PROJECT_ENVIRONMENT": str(attempt.env),
            "UV_PYTHON_DOWNLOADS": "never",
        }

    def _uv_settings(self, trust: Trust) -> tuple[Path, ...]:
        """Return uv's settings of this machine, which may hold credentials."""
        return (_SYSTEM_SETTINGS,) if trust.shared and _SYSTEM_SETTINGS.exists() else ()


def uv_settings() -> str:
    """Return uv's settings of this machine, of which the indexes count."""
    texts = []
    for path in (_SYSTEM_SETTINGS,):
        with contextlib.suppress(OSError):
            texts.append(path.read_text(encoding="utf-8", errors="replace"))
    return "\n".join(texts)


def installed_pythons(managed: Path) -> tuple[Path, ...]:
    """Return the folders of this machine's interpreters outside of /usr, with those that uv keeps in the folder `managed`.

    That folder itself has the lock that every `uv python install` waits for; who can read it can take it.
    """
    own = [entry for entry in _in(managed) if (entry / "bin").is_dir() and not entry.is_symlink()]
    found = [Path(sys.base_prefix), *_on_path(), *own]
    return tuple(dict.fromkeys(folder for folder in found if not folder.is_relative_to("/usr")))


def _in(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _on_path() -> Iterator[Path]:
    for folder in os.get_exec_path():
        with contextlib.suppress(OSError):
            for program in sorted(Path(folder).glob("python3*")):
                prefix = program.resolve().parent.parent
                if any((prefix / "lib").glob("python3.*")) and not (prefix / "pyvenv.cfg").exists():
                    yield prefix


def _tool(program: str) -> tuple[Path, ...]:
    """Return the program itself where it is no part of the system or of the environment."""
    path = Path(program)
    return (path,) if path.name == "uv" and not path.is_relative_to("/usr") else ()


def _local_indexes() -> Iterator[Path]:
    """Yield the folders of this machine that uv's variables name as indexes."""
    for name in ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_INDEX", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS"):
        for word in re.split(r"[\s,]+", os.environ.get(name, "")):
            path = Path(re.sub(r"^(\w+=)?file://", "", word))
            if path.is_absolute() and path.exists():
                yield path


def _certificates() -> Iterator[Path]:
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS"):
        path = Path(os.environ.get(name, ""))
        if path.is_absolute() and path.exists() and not path.is_relative_to("/usr"):
            yield path
