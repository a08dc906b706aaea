"""Puts a class on one page that needs nothing else, and that refreshes itself while the class is being graded."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from markupsafe import Markup

from grading.classroom.grades import Grade, describe
from grading.classroom.page.chart import HEIGHT, MARGIN, WIDTH, Bar, bars
from grading.classroom.similarity import Pair
from grading.classroom.statistics import Statistics, statistics
from grading.errors import without_credentials
from grading.html.templating import make_environment, policy_digest, read_asset

INDEX: Final = "index.html"
REFRESH_SECONDS: Final = 5
_PACKAGE: Final = "grading.classroom.page"
_ENVIRONMENT = make_environment(_PACKAGE)


@dataclass(frozen=True, slots=True)
class ClassPage:
    """What the template asks. `running` are the ids of those being graded; `books` the gradebooks beside the page."""

    title: str
    grades: Sequence[Grade]
    complete: bool
    running: Collection[str] = ()
    pairs: Sequence[Pair] = ()
    books: Sequence[str] = ()

    @property
    def statistics(self) -> Statistics | None:
        return statistics(self.grades)

    @property
    def graded(self) -> int:
        return sum(one.points is not None for one in self.grades)

    def state(self, grade: Grade) -> str:
        if grade.student.id in self.running:
            return "being graded"
        return str(grade.state or "waiting")

    def change(self, grade: Grade) -> float | None:
        """Return the points that the last regrade brought; None where there was none."""
        if grade.difference is None or grade.raw is None:
            return None
        return round(grade.raw - grade.difference.points, 2)


def render_page(page: ClassPage) -> str:
    """Return the page as an HTML document."""
    style, script = read_asset(_PACKAGE, "style.css"), read_asset(_PACKAGE, "script.js")
    found = page.statistics
    charts: dict[str, tuple[Bar, ...]] = {}
    if found:
        charts = {"points": bars(found.points), "seconds": bars(found.seconds)}
    return _ENVIRONMENT.get_template("index.html").render(
        page=page,
        statistics=found,
        charts=charts,
        width=WIDTH,
        height=HEIGHT,
        margin=MARGIN,
        refresh=None if page.complete else REFRESH_SECONDS,
        style=Markup(style),  # noqa: S704 - a file of this package
        script=Markup(script),  # noqa: S704 - a file of this package
        policy=f"default-src 'none'; style-src '{policy_digest(style)}'; script-src '{policy_digest(script)}'; base-uri 'none'",
        written=datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC"),
        describe=describe,
        masked=without_credentials,
    )
