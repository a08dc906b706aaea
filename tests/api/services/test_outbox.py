import resource
import subprocess
import sys
from pathlib import Path

import pytest

from api.services.outbox import Outbox, OutboxFullError

MEGABYTE = 1024 * 1024

DIES = """
import os, signal, sys
from pathlib import Path
from api.services.outbox import Outbox

outbox = Outbox(Path(sys.argv[1]), max_bytes=1000000)
for number in range(3):
    outbox.append(b"%d" % number)
os.kill(os.getpid(), signal.SIGKILL)
"""


def drain(outbox: Outbox) -> list[bytes]:
    """Deliver everything."""
    outbox.seal()
    lines = []
    while (segment := outbox.first) is not None:
        while (batch := segment.read(2))[0]:
            lines += batch[0]
            segment.advance(len(batch[0]), batch[1])
        outbox.remove_first()
    return lines


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "outbox"


def test_lines_come_out_once_and_in_order(folder: Path) -> None:
    outbox = Outbox(folder, max_bytes=MEGABYTE, segment_bytes=10)
    lines = [b"%d" % number for number in range(20)]
    for line in lines:
        outbox.append(line)
    assert outbox.lines == 20
    assert drain(outbox) == lines
    assert (outbox.lines, outbox.size) == (0, 0)
    assert list(folder.iterdir()) == []


def test_what_a_killed_process_left_is_taken_over(folder: Path) -> None:
    killed = subprocess.run([sys.executable, "-c", DIES, str(folder)], check=False, timeout=60)
    assert killed.returncode == -9
    outbox = Outbox(folder, max_bytes=MEGABYTE)
    outbox.append(b"own")
    outbox.adopt(outbox.find_orphans())
    assert outbox.lines == 4
    assert drain(outbox) == [b"0", b"1", b"2", b"own"]


def test_what_a_living_process_holds_is_left_alone(folder: Path) -> None:
    living, other = Outbox(folder, max_bytes=MEGABYTE), Outbox(folder, max_bytes=MEGABYTE)
    living.append(b"active")
    living.seal()
    living.append(b"sealed")
    assert other.find_orphans() == []
    living.close()
    other.adopt(other.find_orphans())
    assert sorted(drain(other)) == [b"active", b"sealed"]


def test_what_was_delivered_of_a_segment_is_not_read_again(folder: Path) -> None:
    outbox = Outbox(folder, max_bytes=MEGABYTE)
    for line in (b"one", b"two", b"three"):
        outbox.append(line)
    outbox.seal()
    assert outbox.first
    lines, size = outbox.first.read(2)
    outbox.first.advance(len(lines), size)
    assert lines == [b"one", b"two"]
    assert outbox.lines == 1
    assert drain(outbox) == [b"three"]


def test_it_has_a_size(folder: Path) -> None:
    outbox = Outbox(folder, max_bytes=10)
    outbox.append(b"12345")
    with pytest.raises(OutboxFullError):
        outbox.append(b"6789")
    assert drain(outbox) == [b"12345"]
    outbox.append(b"6789")


def test_a_disk_that_takes_half_a_line_loses_no_other(folder: Path) -> None:
    outbox = Outbox(folder, max_bytes=MEGABYTE)
    outbox.append(b"12345")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8, before[1]))  # six bytes are there, so that two fit
    try:
        with pytest.raises(OSError, match="2 of 7 bytes"):
            outbox.append(b"abcdef")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    outbox.append(b"67890")
    assert drain(outbox) == [b"12345", b"ab", b"67890"]


def test_files_are_nobody_elses_to_read(folder: Path) -> None:
    outbox = Outbox(folder, max_bytes=MEGABYTE)
    outbox.append(b"line")
    (path,) = folder.iterdir()
    assert path.stat().st_mode & 0o077 == 0
    assert folder.stat().st_mode & 0o077 == 0
    outbox.close()
    assert path.exists()
