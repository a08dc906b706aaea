import subprocess
import sys

import pytest

from grading.processes import base_environment
from grading.workspace import Workspace


def test_services_have_the_same_time_zone_on_every_machine(
    monkeypatch: pytest.MonkeyPatch, workspace: Workspace
) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")

    child = subprocess.run(
        [sys.executable, "-c", "import time; print(time.localtime().tm_gmtoff)"],
        env=base_environment(workspace),
        capture_output=True,
        text=True,
        check=True,
    )

    assert child.stdout.strip() == "0"
