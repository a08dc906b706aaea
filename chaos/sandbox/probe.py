"""Tries whether this user can make what boxes need of the kernel: `python -m chaos.sandbox.probe` exits with 0, or says why not."""

import functools
import os
import signal
import subprocess
import sys
from typing import Final

from chaos.sandbox.bubblewrap import find_bubblewrap, refusal

SECONDS: Final = 20.0


@functools.cache
def sandbox_refusal() -> str:
    """Return why nothing can run in a box on this machine, tried once; an empty string where it can."""
    if not sys.platform.startswith("linux"):
        return "boxes need Linux"
    if why := refusal(find_bubblewrap()):
        return why
    words = [sys.executable, "-m", "chaos.sandbox.probe"]
    try:
        tried = subprocess.run(words, capture_output=True, text=True, timeout=SECONDS, check=False)  # noqa: S603 - the grader's own words
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"its networks could not be tried ({error})"
    if tried.returncode:
        said = (tried.stderr.strip().splitlines() or ["it says nothing"])[-1]
        return f"this user may not make the networks and disks of boxes ({said})"
    return ""


def main() -> None:
    """Make the networks and a disk, and let go of them."""
    from chaos.sandbox.disk import mount_memory  # noqa: PLC0415 - Linux alone has what they import
    from chaos.sandbox.nest import make_networks  # noqa: PLC0415

    services = make_networks()
    try:
        mount_memory("/tmp", "size=1m")  # noqa: S108 - in a mount namespace of our own
    finally:
        os.kill(services, signal.SIGKILL)


if __name__ == "__main__":
    main()
