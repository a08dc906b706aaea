"""Other contracts than the exam's own, and services that break it: on real services."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from chaos.contract import Contract
from tests.exam import EXAM
from tests.graded import graded

ROOT = Path(__file__).parent.parent
SOLUTION = ROOT / "calibration/solutions/flat_modules"
EARLIER = ROOT / "exercises/exam/contracts/earlier.toml"

Changes = dict[str, tuple[str, str]]
FIXED_PASSWORDS: Changes = {
    "src/api/config.py": (
        '{"admin": _required("AUTH_ADMIN_PASSWORD"), "user": _required("AUTH_USER_PASSWORD")}',
        '{"admin": "admin123", "user": "user123"}',
    ),
}
HASHED_PASSWORDS: Changes = {
    "src/api/config.py": (
        '{"admin": _required("AUTH_ADMIN_PASSWORD"), "user": _required("AUTH_USER_PASSWORD")}',
        '{"admin": _required("AUTH_ADMIN_HASH"), "user": _required("AUTH_USER_HASH")}',
    ),
    "src/api/auth.py": (
        "right = password is not None and secrets.compare_digest(password.encode(), given.password.encode())",
        'right = bool(password) and __import__("bcrypt").checkpw(given.password.encode()[:72], password.encode())',
    ),
    "src/api/requirements.txt": ("fastapi", "bcrypt\nfastapi"),
}
NEEDS_TEI: Changes = {
    "src/api/health.py": (
        '    "mlflow": config.MLFLOW_TRACKING_URI',
        '    "tei": __import__("os").environ["TEI_URL"] + "/health",\n    "mlflow": config.MLFLOW_TRACKING_URI',
    ),
    ".env.example": ("ENVIRONMENT=", "TEI_URL=http://tei:80\nENVIRONMENT="),
}
BROKEN_LOGIN: Changes = {
    "src/api/auth.py": (
        "def log_in(given: Credentials):\n",
        'def log_in(given: Credentials):\n    raise RuntimeError("the user table is gone")\n',
    ),
}

pytestmark = [pytest.mark.slow, pytest.mark.long, pytest.mark.usefixtures("grading_slot")]


def fork(folder: Path, *changes: Changes, containers: bool = False) -> Path:
    """The solution with flat modules, changed; without its files for containers it is started by default."""
    shutil.copytree(SOLUTION, folder)
    if not containers:
        (folder / "src/api/Dockerfile").unlink()
        (folder / "docker-compose.yml").unlink()
    for name, (old, new) in [item for some in changes for item in some.items()]:
        text = (folder / name).read_text()
        assert text.count(old) >= 1, f"{name} has outgrown: {old}"
        (folder / name).write_text(text.replace(old, new, 1))
    return folder


def statuses(report: dict[str, Any]) -> dict[str, str]:
    return {one["number"]: one["status"] for part in report["exercises"] for one in part["criteria"]}


def test_the_earlier_contract_fits_the_exam() -> None:
    contract = Contract.load(EARLIER)

    assert EXAM.with_contract(contract).contract == contract


def test_a_fork_with_fixed_passwords_that_is_ready_only_with_tei_is_graded(tmp_path: Path) -> None:
    repository = fork(tmp_path / "fork", FIXED_PASSWORDS, NEEDS_TEI)

    report = graded(repository, "--contract", str(EARLIER), "--exercise", "5")

    assert report["judged"]
    assert {number for number, status in statuses(report).items() if status != "passed"} == {"5.8"}


def test_a_fork_whose_passwords_are_given_as_hashes_is_graded(tmp_path: Path) -> None:
    repository = fork(tmp_path / "fork", HASHED_PASSWORDS, NEEDS_TEI)

    report = graded(repository, "--contract", str(EARLIER), "--exercise", "1")

    assert statuses(report) == {f"1.{number}": "passed" for number in range(1, 9)}


def test_a_service_whose_login_is_broken_is_judged_in_what_needs_none(tmp_path: Path) -> None:
    report = graded(fork(tmp_path / "fork", BROKEN_LOGIN, containers=True))

    assert report["judged"]
    found = statuses(report)
    needs = {one.number: one.needs for part in EXAM.exercises for one in part.criteria}
    open_ones = {number for number, status in found.items() if status == "not judged"}
    assert open_ones == {number for number, need in needs.items() if need in {"login", "answer"}}
    assert {"1.1", "1.4", "1.7", "5.2", "5.3", "5.8", "6.9"} <= {
        number for number, status in found.items() if status == "passed"
    }
    failure = report["control_failure"]
    assert failure["started"]
    assert "POST /auth/login answered 500" in failure["reason"]
    assert "POST /auth/login (login) -> 500" in failure["answer"]
    assert any("the user table is gone" in line for line in failure["log"])
