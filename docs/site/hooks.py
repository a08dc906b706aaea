"""Gives mkdocs the pages where they are in the repository, and pictures of the runs that tests/recorded holds."""

import posixpath
import re
import tempfile
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from rich.console import Console

from exercises.catalogue import assessment
from grading import results
from grading.html import render_html
from grading.render_text import render
from grading.score import rescored
from tests.recordings import unpack

ROOT = Path(__file__).parents[2]
PAGES = ("*.md", "docs/*.md", "exercises/*/README.md", "exercises/*/*/README.md", "calibration/FOUND.md")
NOT_PAGES = {"starter", "solution", "handout"}
"""Folders whose pages belong to repositories of their own."""
RUNS = ("starter", "reference")
SHOWN_EXERCISE = 4
WIDTH = 110
"""Characters of a line in the picture of a terminal."""
_LINK = re.compile(r"\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)#\s]+)(#[^)\s]*)?\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages, a report of each recorded run, and a terminal that shows one exercise of it."""
    for path in _pages():
        files.append(File.generated(config, path.relative_to(ROOT).as_posix(), abs_src_path=str(path)))
    for name, content in _pictures():
        files.append(File.generated(config, name, content=content))
    return files


def on_page_markdown(markdown: str, *, page: Page, files: Files, config: MkDocsConfig) -> str:  # noqa: ARG001
    """Turn links to files that are in the repository and not on the site into their text."""
    folder = posixpath.dirname(page.file.src_uri)

    def shown(link: re.Match[str]) -> str:
        text, target, _ = link.groups()
        path = posixpath.normpath(posixpath.join(folder, target))
        if "://" in target or files.get_file_from_path(path) or not (ROOT / path).exists():
            return link[0]
        return text

    return _LINK.sub(shown, markdown)


def _pages() -> Iterator[Path]:
    for pattern in PAGES:
        yield from (path for path in sorted(ROOT.glob(pattern)) if not NOT_PAGES & set(path.parts))


def _pictures() -> Iterator[tuple[str, str]]:
    exam = assessment("exam")
    for name in RUNS:
        with tempfile.TemporaryDirectory() as folder:
            report, histories = results.load(unpack(name, Path(folder)))
        whole = rescored(report, histories, exam)
        yield f"runs/{name}.html", render_html(whole, histories)
        chosen = tuple(one for one in report.exercises if one.number == SHOWN_EXERCISE)
        one = rescored(report.model_copy(update={"exercises": chosen, "bonus": None}), histories, exam)
        terminal = Console(file=StringIO(), record=True, width=WIDTH, force_terminal=True, highlight=False)
        render(one, terminal)
        title = f"grading score {name} --exercise {SHOWN_EXERCISE}"
        yield f"runs/{name}.svg", terminal.export_svg(title=title)
