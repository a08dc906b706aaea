"""Repositories and workspaces for the tests of the grader."""

import os
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from chaos.contract import StartDefaults
from grading.start import StartPlan, plan
from grading.submission import Submission
from grading.workspace import Workspace
from tests.browser import CHROMIUM, Visitor, chromium

IDENTITY = {
    "GIT_AUTHOR_NAME": "A Student",
    "GIT_AUTHOR_EMAIL": "student@example.org",
    "GIT_COMMITTER_NAME": "A Student",
    "GIT_COMMITTER_EMAIL": "student@example.org",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
}

EXAM = StartDefaults(
    main=Path("src/api/main.py"),
    service="api",
    dockerfiles=(Path("src/api/Dockerfile"), Path("Dockerfile")),
    example="uvicorn api.main:app --app-dir src",
)
RESERVED = frozenset({"JWT_SECRET_KEY", "LITELLM_URL"})


class Repository:
    """A folder of files, under git once `commit` was called."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(parents=True, exist_ok=True)

    def write(self, files: Mapping[str, str]) -> "Repository":
        for name, text in files.items():
            (self.root / name).parent.mkdir(parents=True, exist_ok=True)
            (self.root / name).write_text(text)
        return self

    def git(self, *words: str, stdin: str = "") -> str:
        command = ["git", "-c", "init.defaultBranch=main", "-c", "protocol.file.allow=always", *words]
        environment = {**os.environ, **IDENTITY}
        done = subprocess.run(
            command, cwd=self.root, env=environment, check=True, capture_output=True, text=True, input=stdin
        )
        return done.stdout.strip()

    def commit(self, message: str = "Work") -> str:
        if not (self.root / ".git").exists():
            self.git("init", "--quiet")
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)
        return self.git("rev-parse", "HEAD")

    def submission(self) -> Submission:
        """The folder itself as a submission, without a snapshot."""
        return Submission(str(self.root), self.root.name, self.root)

    def plan(self, defaults: StartDefaults = EXAM) -> StartPlan:
        return plan(self.submission(), defaults, RESERVED)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "repository")


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with Workspace.open(tmp_path) as opened:
        yield opened


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Skip what needs a browser if there is none."""
    if CHROMIUM is None:
        pytest.skip("there is no Chromium; `make chromium` installs it on Debian")
    with chromium() as browser:
        yield browser


@pytest.fixture
def visitor(browser: Browser) -> Iterator[Visitor]:
    """Open pages; fail if one of them asks for anything but itself, or has an error."""
    visitor = Visitor(browser)
    try:
        yield visitor
        assert visitor.complaints == []
    finally:
        visitor.close()
