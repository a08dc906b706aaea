import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from grading.stack import claim
from grading.stack.claim import Record
from grading.stack.ports import Ports
from tests.exam import CONTRACT

pytestmark = pytest.mark.medium

ROOT = Path(__file__).parents[3]
CLAIMING = """
import os, sys, time
from pathlib import Path
from grading.stack import claim
from grading.stack.claim import Record
from grading.stack.ports import Ports
from tests.exam import CONTRACT

record = Record(pid=os.getpid(), repository="fork", contract=CONTRACT, ports=Ports(service=8123), started="now")
with claim.claimed(Path(sys.argv[1]), record) as ours:
    print(ours, flush=True)
    time.sleep(60)
"""


def record(pid: int | None = None) -> Record:
    return Record(pid=pid or os.getpid(), repository="fork", contract=CONTRACT, ports=Ports(), started="now")


def test_an_empty_folder_is_nobodys(tmp_path: Path) -> None:
    assert claim.find(tmp_path) is None


def test_a_claim_is_found_until_it_ends(tmp_path: Path) -> None:
    with claim.claimed(tmp_path, record()) as ours:
        assert ours
        assert claim.find(tmp_path) == record()
    assert claim.find(tmp_path) is None


def test_a_second_claim_is_refused_and_leaves_the_first(tmp_path: Path) -> None:
    with claim.claimed(tmp_path, record()):
        with claim.claimed(tmp_path, record(pid=1)) as ours:
            assert not ours
        assert claim.find(tmp_path) == record()


def test_the_claim_of_a_killed_process_is_nobodys_and_can_be_taken(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", CLAIMING, str(tmp_path)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as other:
        assert other.stdout
        assert other.stdout.readline() == "True\n"
        found = claim.find(tmp_path)
        assert found
        assert (found.pid, found.ports.service) == (other.pid, 8123)

        other.send_signal(signal.SIGKILL)
        other.wait()

    assert claim.find(tmp_path) is None
    with claim.claimed(tmp_path, record()) as ours:
        assert ours
        assert claim.find(tmp_path) == record()
