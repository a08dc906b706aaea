"""Which saves count, in real folders. What does not count is saved first: the next save then comes alone."""

import asyncio
from pathlib import Path

import pytest

from grading.saves import Saves
from tests.grading.conftest import Repository

pytestmark = pytest.mark.medium

SECONDS = 60


@pytest.fixture
def sources(repository: Repository) -> Repository:
    repository.write({".gitignore": "*.log\n", "src/app.py": "a = 1\n", "old.py": "b = 1\n"}).commit()
    return repository


async def first(saves: Saves) -> str:
    return await asyncio.wait_for(saves.wait(), SECONDS)


@pytest.mark.parametrize(
    "name",
    [
        "service.log",
        "src/__pycache__/app.pyc",
        ".venv/lib/site.py",
        ".git/index",
        "results/report.json",
        ".env",
    ],
)
async def test_what_is_no_source_does_not_count(name: str, sources: Repository) -> None:
    saves = Saves(sources.root, [sources.root / "results"])
    async with saves.watched():
        sources.write({name: "x"})
        sources.write({"src/app.py": "a = 2\n"})

        assert await first(saves) == "src/app.py"


@pytest.mark.parametrize("name", ["src/app.py", "src/new/module.py"])
async def test_a_source_that_is_written_counts(name: str, sources: Repository) -> None:
    saves = Saves(sources.root)
    async with saves.watched():
        sources.write({name: "a = 2\n"})

        assert await first(saves) == name


async def test_a_source_that_is_deleted_counts(sources: Repository) -> None:
    (sources.root / "untracked.py").write_text("c = 1\n")
    saves = Saves(sources.root)
    async with saves.watched():
        (sources.root / "untracked.py").unlink()

        assert await first(saves) == "untracked.py"


async def test_a_folder_under_no_git_is_watched_too(tmp_path: Path) -> None:
    saves = Saves(tmp_path)
    async with saves.watched():
        (tmp_path / "app.py").write_text("a = 1\n")

        assert await first(saves) == "app.py"


async def test_a_burst_is_one_change(sources: Repository) -> None:
    saves = Saves(sources.root)
    async with saves.watched():
        sources.write({f"src/module{number}.py": "a = 1\n" for number in range(20)})

        assert await first(saves) == "src/module0.py and 19 more"


async def test_what_was_taken_does_not_come_again(sources: Repository) -> None:
    saves = Saves(sources.root)
    async with saves.watched():
        sources.write({"src/app.py": "a = 2\n"})
        await first(saves)
        saves.take()
        sources.write({"old.py": "b = 2\n"})

        assert await first(saves) == "old.py"
