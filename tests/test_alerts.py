"""The alerts of the monitoring stack, by the tests that promtool runs."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

pytestmark = pytest.mark.medium

FOLDER = Path(__file__).parent.parent / "deploy/monitoring"
PROMTOOL = os.environ.get("PROMTOOL") or shutil.which("promtool")
FIRING = re.compile(r'ALERTS\{alertname="(\w+)", alertstate="firing"')


@pytest.mark.skipif(PROMTOOL is None, reason="there is no promtool; `make promtool` fetches it")
def test_each_broken_objective_fires_its_alert_and_no_other() -> None:
    assert PROMTOOL

    ended = subprocess.run(
        [PROMTOOL, "test", "rules", "alerts.test.yml"],
        cwd=FOLDER,
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_every_alert_is_seen_firing() -> None:
    rules = yaml.safe_load((FOLDER / "alerts.yml").read_text(encoding="utf-8"))
    alerts = {rule["alert"] for group in rules["groups"] for rule in group["rules"]}

    assert alerts == set(FIRING.findall((FOLDER / "alerts.test.yml").read_text(encoding="utf-8")))
