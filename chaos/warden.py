"""Starts one program and answers for everything that comes of it, whatever becomes of the program that asked.

Run as a script by a bare interpreter (`python -I -S warden.py`), one warden per program:

    stdin   first line: the program as JSON {argv, cwd, env, limits, depth}; then one word a line: a signal's name
            for the program (TERM, STOP, ...); end of file: kill all that is left, and end
    fd 3    reports, one JSON object a line: {"pid": N}, then {"exit": code, "cause": null or text}, and at the end
            {"left": command lines of what still runs although the program has exited, "processor": seconds used by all}

`depth` is how many processes of a box stand between the warden and the program proper, each the first child of the one
before: signals go to the program. A box ends with it, and with its exit code.

The program inherits stdout and stderr and leads a session of its own. The warden is the reaper of all its
descendants, so neither a daemon's double fork nor the sudden death of the asking process leaves one behind: a warden
that somebody has stopped is continued then. A program whose warden is killed dies with it.
Only Linux has reapers; elsewhere the program's process group is what gets killed.
"""

import contextlib
import ctypes
import json
import os
import resource
import select
import signal
import sys
import time
from typing import Any

REPORTS = 3
PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
KEYCTL = {"x86_64": 250, "aarch64": 219}
"""The number of the system call by machine; no library has a function for it everywhere."""
KEYCTL_JOIN_SESSION_KEYRING = 1
LEFT = 10
COMMAND_LENGTH = 200
"""What is told of programs that were left running: so many of them, and so much of each command line."""
GUARD_SECONDS = 1.0
KILL_SECONDS = 5.0
BOX_SECONDS = 1.0
PAGE = resource.getpagesize()
LEASED = "held a lease on a file, so that other programs had to wait for it"


def main() -> None:
    """Start the program that stdin describes and stay until stdin ends."""
    become_reaper()
    on_death_of_parent(signal.SIGCONT)
    wakeup_read, wakeup_write = os.pipe()
    for end in (wakeup_read, wakeup_write):
        os.set_blocking(end, False)
    signal.set_wakeup_fd(wakeup_write)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)

    lines = Lines(sys.stdin.fileno())
    order = lines.wait()
    if order is None:
        return
    spec = json.loads(order)
    program = start(spec)
    report({"pid": program})
    release_output()
    running = watch(program, spec["depth"], lines, wakeup_read, Limits(**spec["limits"]))
    pids = descendants()
    # Before they are killed: the kernel counts nothing of what it kills with a namespace.
    processor = round(reaped_processor() + sum(map(processor_of, pids)), 2)
    if spec["depth"] and not running:
        pids = after_box()
    left = [] if running else command_lines(pids)
    kill_all(program)
    report({"left": left, "processor": processor})


class Lines:
    """The asker's lines, read without ever blocking on half a line."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.ended = False
        self._buffer = b""

    def read(self) -> list[str]:
        data = os.read(self.fd, 65536)
        self.ended = not data
        *whole, self._buffer = (self._buffer + data).split(b"\n")
        return [line.decode() for line in whole]

    def wait(self) -> str | None:
        """Return the first line; None where stdin ends before it."""
        while not self.ended:
            if lines := self.read():
                return lines[0]
        return None


class Limits:
    """What the program and its descendants may use together; beyond it the warden ends them."""

    def __init__(self, processes: int, memory: int, file_size: int) -> None:
        self.processes = processes
        self.memory = memory
        self.file_size = file_size

    def exceeded(self) -> str | None:
        """Say which limit the warden's descendants are over, if any."""
        pids = descendants()
        if len(pids) > self.processes:
            return f"ran more than {self.processes} processes"
        if sum(map(resident, pids)) > self.memory:
            return f"used more than {self.memory // 2**20} MiB of memory"
        if hold_lease(pids):
            return LEASED
        return None


def become_reaper() -> None:
    """Inherit orphaned descendants (Linux)."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def on_death_of_parent(number: int) -> None:
    """Have the kernel send this process a signal when its parent dies (Linux)."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, number, 0, 0, 0)


def leave_keyring() -> None:
    """Take a session keyring of its own (Linux): that of who started the grader may hold keys, and outlives the program."""
    with contextlib.suppress(OSError, AttributeError, KeyError):
        number = ctypes.c_long(KEYCTL[os.uname().machine])
        ctypes.CDLL(None, use_errno=True).syscall(number, KEYCTL_JOIN_SESSION_KEYRING, None)


def start(spec: dict[str, Any]) -> int:
    """Fork and execute the program; a program that cannot be executed exits 127 and says why on stderr.

    Returns once it takes signals: at first it ignores those that the warden does, and one sent then would be lost.
    """
    taking_signals, ready = os.pipe()
    pid = os.fork()
    if pid:
        os.close(ready)
        os.read(taking_signals, 1)
        os.close(taking_signals)
        return pid
    try:
        signal.set_wakeup_fd(-1)
        for reset in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD, signal.SIGPIPE):
            signal.signal(reset, signal.SIG_DFL)
        os.setsid()
        leave_keyring()
        on_death_of_parent(signal.SIGKILL)
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        os.closerange(3, 256)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        size = spec["limits"]["file_size"]
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
        os.chdir(spec["cwd"])
        os.execvpe(spec["argv"][0], spec["argv"], spec["env"])  # noqa: S606 - starting programs is its purpose
    except OSError as error:
        os.write(2, f"cannot start {spec['argv'][0]}: {error.strerror}\n".encode())
    finally:
        os._exit(127)


def release_output() -> None:
    """Let go of stdout and stderr, so that they end when the program's last holder ends."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)
    os.close(null)


def watch(program: int, depth: int, lines: Lines, wakeup: int, limits: Limits) -> bool:
    """Forward signals, reap, guard the limits, and report the program's end, until the asker is gone.

    Returns whether the program still runs then.
    """
    running = True
    cause: str | None = None
    guard = time.monotonic() + GUARD_SECONDS
    while not lines.ended:
        readable, _, _ = select.select([lines.fd, wakeup], [], [], GUARD_SECONDS)
        if wakeup in readable:
            with contextlib.suppress(BlockingIOError):
                os.read(wakeup, 4096)
        for pid, status in reap():
            if pid == program:
                running = False
                report({"exit": os.waitstatus_to_exitcode(status), "cause": cause})
        if lines.fd in readable:
            for name in lines.read():
                if running:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(innermost(program, depth), signal.Signals[f"SIG{name}"])
        if time.monotonic() >= guard:
            guard = time.monotonic() + GUARD_SECONDS
            if cause is None and (cause := limits.exceeded()):
                kill_all(program, reaping=False)
    return running


def reap() -> list[tuple[int, int]]:
    """Collect all children that have ended."""
    ended = []
    with contextlib.suppress(ChildProcessError):
        while (found := os.waitpid(-1, os.WNOHANG))[0]:
            ended.append(found)
    return ended


def kill_all(program: int, *, reaping: bool = True) -> None:
    """Kill every descendant, again and again until none is left, for they may fork meanwhile."""
    until = time.monotonic() + KILL_SECONDS
    while time.monotonic() < until:
        pids = descendants()
        for pid in pids:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(program, signal.SIGKILL)
        if not reaping:
            return
        reap()
        if not pids:
            return
        time.sleep(0.005)


def descendants() -> list[int]:
    """Return the process ids below the warden, zombies included."""
    found: list[int] = []
    waiting = [os.getpid()]
    while waiting:
        children = children_of(waiting.pop())
        found += children
        waiting += children
    return found


def after_box() -> list[int]:
    """Return the process ids below the warden once a box that has ended is taken down, which takes the kernel a moment."""
    until = time.monotonic() + BOX_SECONDS
    while (pids := descendants()) and time.monotonic() < until:
        reap()
        time.sleep(0.005)
    return pids


def innermost(pid: int, depth: int) -> int:
    """Return the process so many first children below another one, or as deep as there are any."""
    for _ in range(depth):
        pid = next(iter(children_of(pid)), pid)
    return pid


def children_of(pid: int) -> list[int]:
    children: list[int] = []
    with contextlib.suppress(OSError):
        for task in os.listdir(f"/proc/{pid}/task"):
            with (
                contextlib.suppress(OSError),
                open(f"/proc/{pid}/task/{task}/children", encoding="ascii") as file,
            ):
                children += map(int, file.read().split())
    return children


def command_lines(pids: list[int]) -> list[str]:
    """Return the command lines of some processes; zombies have none."""
    found = []
    for pid in pids:
        with contextlib.suppress(OSError), open(f"/proc/{pid}/cmdline", "rb") as file:
            words = file.read(COMMAND_LENGTH).rstrip(b"\0").replace(b"\0", b" ")
            if words:
                found.append(words.decode(errors="replace"))
    return found[:LEFT]


def reaped_processor() -> float:
    """Return the processor time in seconds of the descendants that have been collected."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def processor_of(pid: int) -> float:
    """Return the processor time in seconds of a process and of the children that it has collected."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            # The name stands in brackets and may hold anything; utime, stime, cutime and cstime are fields 14 to 17.
            return sum(map(int, file.read().rpartition(b")")[2].split()[11:15])) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError):
        return 0.0


def resident(pid: int) -> int:
    """Return the resident memory of a process in bytes; 0 for one that is gone."""
    try:
        with open(f"/proc/{pid}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * PAGE
    except (OSError, IndexError):
        return 0


def hold_lease(pids: list[int]) -> bool:
    """Whether one of some processes holds a lease on a file (Linux): whoever opens the file waits for up to 45 s.

    The files of an environment are shared by services, and may belong to the user that all of them run as.
    """
    try:
        with open("/proc/locks", encoding="ascii") as file:
            locks = [line.split() for line in file]
    except OSError:
        return False
    owners = {int(lock[4]) for lock in locks if lock[1] == "LEASE"}
    if not owners.isdisjoint(pids):
        return True
    # A lease stays with who has inherited its file, under the name of who has taken it.
    has_heir = any(not os.path.exists(f"/proc/{owner}") for owner in owners)
    return has_heir and any(map(has_leased_file, pids))


def has_leased_file(pid: int) -> bool:
    with contextlib.suppress(OSError):
        for number in os.listdir(f"/proc/{pid}/fdinfo"):
            with (
                contextlib.suppress(OSError),
                open(f"/proc/{pid}/fdinfo/{number}", encoding="ascii", errors="replace") as file,
            ):
                if "LEASE" in file.read():
                    return True
    return False


def report(message: dict[str, Any]) -> None:
    with contextlib.suppress(BrokenPipeError):
        os.write(REPORTS, json.dumps(message).encode() + b"\n")


if __name__ == "__main__":
    main()
