"""Which commit counts, with real repositories; and that finding it runs nothing of theirs."""

import contextlib
import os
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from grading.classroom.handed_in import find, last_moment
from grading.classroom.roster import LateRule, Student
from grading.errors import GradingError, SubmissionError, UsageError
from grading.workspace import Workspace
from tests.grading.conftest import IDENTITY, Repository

pytestmark = pytest.mark.medium

NOON = datetime(2026, 12, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def commit_at(repository: Repository, when: datetime, monkeypatch: pytest.MonkeyPatch) -> str:
    stamp = when.isoformat()
    monkeypatch.setitem(IDENTITY, "GIT_AUTHOR_DATE", stamp)
    monkeypatch.setitem(IDENTITY, "GIT_COMMITTER_DATE", stamp)
    return repository.commit(f"At {stamp}")


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        pass


@contextlib.contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve the files of a folder, which is all that git needs of a server."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def commits(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Three commits of the default branch: an hour before noon, at noon, an hour later."""
    repository.write({"app.py": "print()\n"})
    return [commit_at(repository, NOON + offset, monkeypatch) for offset in (-HOUR, 0 * HOUR, HOUR)]


def student(repository: Repository | str, **fields: object) -> Student:
    place = repository if isinstance(repository, str) else str(repository.root)
    return Student.model_validate({"id": "s1", "name": "Ada", "repository": place, **fields})


@pytest.mark.parametrize(("offset", "expected"), [(-HOUR, 0), (0 * HOUR, 1), (HOUR / 2, 1), (9 * HOUR, 2)])
async def test_the_last_commit_not_after_the_deadline(
    offset: timedelta, expected: int, repository: Repository, commits: list[str], workspace: Workspace
) -> None:
    deadline = NOON + offset

    found = await find(student(repository, deadline=deadline), deadline, workspace)

    assert found.commit == commits[expected]
    assert found.spec == f"{repository.root}@{commits[expected]}"
    assert found.committed
    assert found.committed <= deadline


async def test_commits_of_other_branches_do_not_count(
    repository: Repository, commits: list[str], workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.git("checkout", "--quiet", "-b", "aside", commits[0])
    commit_at(repository, NOON + HOUR / 4, monkeypatch)
    repository.git("checkout", "--quiet", "main")

    found = await find(student(repository, deadline=NOON), NOON + HOUR / 2, workspace)

    assert found.commit == commits[1]


async def test_nothing_was_handed_in_before_the_deadline(
    repository: Repository, commits: list[str], workspace: Workspace
) -> None:
    deadline = NOON - 2 * HOUR

    with pytest.raises(
        UsageError, match=r"no commit of .* before 2026-12-01 10:00 UTC; nothing was handed in"
    ):
        await find(student(repository, deadline=deadline), deadline, workspace)


async def test_a_folder_without_a_deadline_is_graded_as_it_is(
    repository: Repository, workspace: Workspace
) -> None:
    found = await find(student(repository), None, workspace)

    assert (found.spec, found.commit) == (str(repository.root), None)


async def test_a_commit_of_the_roster_counts_whenever_it_was_made(
    repository: Repository, commits: list[str], workspace: Workspace
) -> None:
    named = student(repository, commit=commits[2][:10], deadline=NOON)

    found = await find(named, NOON, workspace)

    assert found.commit == commits[2]
    assert found.committed == NOON + HOUR


@pytest.mark.parametrize("cloned", [False, True])
@pytest.mark.parametrize("name", ["main", "aside", "HEAD"])
async def test_the_deadline_counts_on_a_branch_of_the_roster(
    name: str, *, cloned: bool, repository: Repository, commits: list[str], workspace: Workspace
) -> None:
    repository.git("branch", "aside")
    repository.git("update-server-info")
    with served(repository.root) as address:
        place = f"{address}/.git" if cloned else repository
        found = await find(student(place, commit=name, deadline=NOON), NOON, workspace)
        with pytest.raises(UsageError, match="nothing was handed in"):
            await find(student(place, commit=name, deadline=NOON), NOON - 2 * HOUR, workspace)

    assert (found.commit, found.committed) == (commits[1], NOON)


@pytest.mark.parametrize("cloned", [False, True])
async def test_a_tag_of_the_roster_counts_whenever_it_was_made(
    *, cloned: bool, repository: Repository, commits: list[str], workspace: Workspace
) -> None:
    repository.git("tag", "-a", "-m", "handed in", "v1")
    repository.git("update-server-info")
    with served(repository.root) as address:
        place = f"{address}/.git" if cloned else repository
        found = await find(student(place, commit="v1", deadline=NOON), NOON, workspace)

    assert found.commit == commits[2]


async def test_what_is_not_there_is_told(
    repository: Repository, commits: list[str], workspace: Workspace
) -> None:
    with pytest.raises(UsageError, match="has no commit, branch or tag nowhere"):
        await find(student(repository, commit="nowhere"), None, workspace)
    with pytest.raises(UsageError, match="There is no folder /nowhere"):
        await find(student("/nowhere", deadline=NOON), NOON, workspace)


async def test_a_repository_that_is_cloned(
    repository: Repository, commits: list[str], workspace: Workspace
) -> None:
    repository.git("update-server-info")
    with served(repository.root) as address:
        found = await find(student(f"{address}/.git", deadline=NOON), NOON, workspace)

    assert (found.spec, found.commit) == (f"{address}/.git@{commits[1]}", commits[1])


async def test_an_address_that_nobody_answers(workspace: Workspace) -> None:
    with pytest.raises(GradingError, match="could not be"):
        await find(student("http://127.0.0.1:9/fork.git"), None, workspace)


async def test_nothing_of_the_repository_is_run(
    repository: Repository, commits: list[str], workspace: Workspace, tmp_path: Path
) -> None:
    trace = tmp_path / "trace"
    program = repository.root / "program"
    program.write_text(f"#!/bin/sh\ntouch {trace}\n")
    program.chmod(0o755)
    for name in ("core.fsmonitor", "core.sshCommand", "log.showSignature", "gpg.program", "core.pager"):
        repository.git("config", name, "true" if name == "log.showSignature" else os.fspath(program))

    await find(student(repository, deadline=NOON), NOON, workspace)

    assert not trace.exists()


def test_late_commits_count_as_long_as_the_rule_says() -> None:
    due = student("/fork", deadline=NOON)

    assert last_moment(student("/fork"), None) is None
    assert last_moment(due, None) == NOON
    assert last_moment(due, LateRule(points_per_day=1, cap=5)) is None
    assert last_moment(due, LateRule(points_per_day=1, cap=5, days=2)) == NOON + timedelta(days=2)


async def test_commits_of_somebody_else_are_not_handed_in(
    repository: Repository, commits: list[str], workspace: Workspace, tmp_path: Path
) -> None:
    mine = Repository(tmp_path / "mine")
    mine.git("init", "--quiet")
    (mine.root / ".git/HEAD").write_text(commits[0])
    (mine.root / ".git/objects/info/alternates").write_text(f"{repository.root}/.git/objects\n")

    with pytest.raises(SubmissionError, match="alternates leads out of it"):
        await find(student(mine, deadline=NOON), NOON, workspace)
