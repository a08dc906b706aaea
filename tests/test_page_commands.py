"""The commands, files and headings that pages name exist: in this repository, and in each hand-out."""

import re
import shlex
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
import typer
from typer.core import TyperGroup

from chaos.demo.cli import app as chaos
from exercises.catalogue import NAMES, assessment
from grading.cli import app as grading
from grading.handout import _write_files

pytestmark = pytest.mark.medium

ROOT = Path(__file__).parent.parent
HERE = "this repository"
NOT_PAGES = {".venv", ".tools", "node_modules", "calibration", "handout", "site", "CHANGELOG.md"}
"""Folders whose pages are not ours or have their place elsewhere, and a page that tells of the past."""

_FENCE = re.compile(r"^```(?:sh|bash|console)\b[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
_LAUNCHER = re.compile(r"^(?:\$ )?(?:uv run |\.venv/bin/)?(grading|chaos|mise|make|docker)\s")
_LINK = re.compile(r"\]\(([^)#\s]*)#?([^)\s]*)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_PATH = re.compile(r"(?:src|docs|grading|lab|chaos|exercises|tests|calibration|benchmarks)/[\w./-]*\w")


@dataclass(frozen=True)
class Repository:
    """A folder with pages, but those below `skipped`; the files that they name may be in `others` instead."""

    folder: Path
    others: tuple[Path, ...] = ()
    skipped: tuple[Path, ...] = ()

    def pages(self) -> Iterator[tuple[str, str]]:
        for path in sorted(self.folder.rglob("*.md")):
            name = path.relative_to(self.folder)
            if not NOT_PAGES & set(name.parts) and not any(map(path.is_relative_to, self.skipped)):
                yield str(name), path.read_text(encoding="utf-8")

    def has(self, path: str) -> bool:
        return any((folder / path).exists() for folder in (self.folder, *self.others))

    def tasks(self) -> set[str]:
        file = self.folder / "mise.toml"
        return set(tomllib.loads(file.read_text(encoding="utf-8"))["tasks"]) if file.exists() else set()

    def targets(self, makefile: str) -> set[str]:
        file = self.folder / makefile
        text = file.read_text(encoding="utf-8") if file.exists() else ""
        return set(re.findall(r"^([\w-]+):", text, re.MULTILINE))


@pytest.fixture(scope="module", params=[HERE, *NAMES])
def repository(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """This repository, or a hand-out without its lock."""
    if request.param == HERE:
        folders = [assessment(name).folder for name in NAMES]
        services = [folder / part for folder in folders for part in ("solution", "starter")]
        # The pages of an assessment with tasks of its own are about its hand-out, and are looked at there.
        own_tasks = [folder for folder in folders if (folder / "handout/mise.toml").exists()]
        return Repository(ROOT, tuple(services), tuple(own_tasks))
    folder = tmp_path_factory.mktemp(request.param)
    asked = assessment(request.param)
    assert asked.handout
    _write_files(folder, asked, asked.handout)
    solution = asked.folder / "solution"
    return Repository(folder, (solution if solution.exists() else ROOT,))


def test_the_commands_of_pages_exist(repository: Repository) -> None:
    named = [(page, words) for page, text in repository.pages() for words in _commands(text)]

    assert len(named) > 10
    wrong = [f"{page}: {' '.join(words)}" for page, words in named if not _exists(words, repository)]
    assert wrong == []


def test_the_files_that_pages_name_exist(repository: Repository) -> None:
    named = {(page, path) for page, text in repository.pages() for path in _paths(text)}

    assert sorted(f"{page}: {path}" for page, path in named if not repository.has(path)) == []


def test_links_lead_to_files_and_headings(repository: Repository) -> None:
    links = [
        (page, target, heading)
        for page, text in repository.pages()
        for target, heading in _LINK.findall(text)
        if "://" not in target
    ]

    assert links
    wrong = [
        f"{page}: {target}#{heading}"
        for page, target, heading in links
        if not _leads(repository.folder / page, target, heading)
    ]
    assert wrong == []


def test_the_page_of_each_exercise_is_the_one_of_this_repository(repository: Repository) -> None:
    names = [name for name in NAMES if (repository.folder / "exercises" / name).is_dir()]
    pages = [page for name in names for page in assessment(name).folder.glob("*/README.md")]
    pages = [page for page in pages if page.with_name("exercise.toml").exists()]

    assert len(pages) >= 5
    for page in pages:
        copy = repository.folder / page.relative_to(ROOT)
        assert copy.read_text(encoding="utf-8") == page.read_text(encoding="utf-8")


def test_each_exercise_has_its_task(repository: Repository) -> None:
    names = [name for name in NAMES if (repository.folder / "exercises" / name / "assessment.toml").exists()]
    asked = assessment(names[0])
    tasks = tomllib.loads((repository.folder / "mise.toml").read_text(encoding="utf-8"))["tasks"]
    word = "part" if "test:part1" in tasks else "ex"

    for exercise in asked.exercises:
        task = tasks[f"test:{word}{exercise.number}"]
        assert task["run"].endswith(f" --exercise {exercise.number}")
        assert exercise.title.lower() in task["description"].lower()


@pytest.mark.parametrize(
    ("line", "exists"),
    [
        ("uv run grading score . --exercise 3", True),
        ("uv run grading score . --exercises 3", False),
        (".venv/bin/grading grade .", False),
        ("chaos outage litellm --for 5s", True),
        ("chaos explode litellm", False),
        ("mise run test:ex3", True),
        ("mise run test:ex33", False),
        ("make -f Makefile.curl ex3", True),
        ("make -f Makefile.curl ex33", False),
        ("make score", True),
        ("make scores", False),
    ],
)
def test_a_command_that_does_not_exist_is_found(*, line: str, exists: bool) -> None:
    [words] = _commands(f"```sh\n{line}    # with a comment\n```\n")

    assert _exists(words, Repository(ROOT)) is exists


def test_a_file_that_does_not_exist_is_found() -> None:
    named = list(
        _paths(
            "`src/api/main.py` and `src/api/mian.py`, not `exercises/NAME/`, `src` or `exercises/*/x.toml`"
        )
    )

    assert [(path, Repository(ROOT).has(path)) for path in named] == [
        ("src/api/main.py", True),
        ("src/api/mian.py", False),
    ]


def _commands(page: str) -> Iterator[list[str]]:
    """Yield the commands in a page's shell blocks and code spans whose names are ours to keep."""
    blocks = "\n".join(_FENCE.findall(page)).replace("\\\n", " ")
    for line in (*blocks.splitlines(), *_SPAN.findall(page)):
        for part in re.split(r"\s&&\s|;|\||\$\(", line):
            if _LAUNCHER.match(command := part.strip()):
                yield _words(command.removeprefix("$ "))


def _paths(page: str) -> Iterator[str]:
    """Yield the files and folders in a page's code spans; a part in capitals stands for any name."""
    for span in _SPAN.findall(page):
        path = span.rstrip("/")
        if _PATH.fullmatch(path) and not any(map(str.isupper, Path(path).parts)):
            yield path


def _leads(page: Path, target: str, heading: str) -> bool:
    path = page.parent / target if target else page
    return path.exists() and (
        not heading or heading in map(_anchor, _HEADING.findall(path.read_text("utf-8")))
    )


def _anchor(heading: str) -> str:
    """Return the anchor that GitHub gives a heading."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def _words(command: str) -> list[str]:
    words = shlex.split(command.partition(" #")[0].rstrip(")"), posix=False)
    start = 2 if words[:2] == ["uv", "run"] else 0
    return [Path(words[start]).name, *words[start + 1 :]]


def _exists(words: Sequence[str], repository: Repository) -> bool:
    program, *rest = words
    match program:
        case "mise":
            return rest[0] != "run" or rest[1] in repository.tasks()
        case "docker":
            return rest[0] != "compose" or (repository.folder / "docker-compose.yml").exists()
        case "make":
            makefile = rest[rest.index("-f") + 1] if "-f" in rest else "Makefile"
            targets = [word for word in rest if word not in {"-f", makefile} and "=" not in word]
            return set(targets) <= repository.targets(makefile) and bool(targets)
        case _:
            return _is_known({"grading": grading, "chaos": chaos}[program], rest)


def _is_known(app: typer.Typer, words: Sequence[str]) -> bool:
    """Whether a command line has such a command with such options; a placeholder (`...`) is anything."""
    group = typer.main.get_command(app)
    assert isinstance(group, TyperGroup)
    name, *rest = words
    if name not in group.commands:
        return not name.isalpha()
    options = {option for one in group.commands[name].params for option in (*one.opts, *one.secondary_opts)}
    given = {re.split(r"[=|\]]", word.lstrip("["))[0] for word in rest if word.lstrip("[").startswith("--")}
    return given <= options
