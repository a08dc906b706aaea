import json
import os
import subprocess
import sys

import pytest

from grading.errors import UsageError
from grading.integrity import KEY_VARIABLE, make_digest, make_signature, sign, take_key
from grading.processes import base_environment
from grading.workspace import Workspace
from tests.grading.test_results import REPORT

pytestmark = pytest.mark.medium

KEY = "0123456789abcdef0123456789abcdef"
TAKES = f"""
import os, subprocess, sys
from pathlib import Path
from grading.integrity import take_key
assert take_key() == {KEY.encode()!r}
child = subprocess.run([sys.executable, "-c", "import os; print(dict(os.environ))"], capture_output=True, text=True)
print(Path("/proc/self/environ").read_bytes(), child.stdout)
"""


def test_the_key_is_taken_out_of_the_environment(
    monkeypatch: pytest.MonkeyPatch, workspace: Workspace
) -> None:
    monkeypatch.setenv(KEY_VARIABLE, KEY)

    assert take_key() == KEY.encode()
    assert KEY_VARIABLE not in os.environ
    assert KEY not in str(base_environment(workspace))


def test_neither_a_child_nor_proc_shows_a_key_that_was_taken() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", TAKES],
        env={**os.environ, KEY_VARIABLE: KEY},
        capture_output=True,
        text=True,
        check=True,
    )

    assert "PATH" in ended.stdout
    assert KEY not in ended.stdout


def test_there_may_be_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(KEY_VARIABLE, raising=False)

    assert take_key() is None


@pytest.mark.parametrize("key", ["", KEY[:31]])
def test_a_short_key_is_wrong_use(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_VARIABLE, key)

    with pytest.raises(UsageError, match="at least 32"):
        take_key()


def test_the_digest_covers_every_field_and_every_history() -> None:
    integrity = sign(REPORT, {"hang": "a"}, None).integrity
    assert integrity
    assert integrity.signature is None
    content = json.loads(REPORT.model_dump_json(exclude={"integrity"}))
    assert make_digest(content, {"hang": "a"}) == integrity.digest

    digests = {make_digest({**content, name: "another"}, {"hang": "a"}) for name in content}
    digests |= {
        make_digest(content, {"hang": "b"}),
        make_digest(content, {"other": "a"}),
        make_digest(content, {}),
    }

    assert len(digests) == len(content) + 3
    assert integrity.digest not in digests


def test_the_signature_depends_on_the_key() -> None:
    assert make_signature("digest", b"one") != make_signature("digest", b"other")
