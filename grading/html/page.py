"""Puts a report and its histories on one page that needs nothing else: no network, and scripts only for comfort.

Every text on the page is made plain and escaped (see grading.html.templating).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from markupsafe import Markup

from chaos.history import History
from grading.html.events import Row, listed
from grading.html.templating import make_environment, policy_digest, read_asset
from grading.html.timeline import AXIS_HEIGHT, ROW_HEIGHT, Timeline, draw
from grading.report import Report
from lab.result import CriterionResult

LEAST_LABEL_WIDTH: Final = 4
"""Percent of a timeline's width from which a phase is named there; on a narrower one the name would be cut."""
MARKS: Final = {"passed": "✓", "failed": "✗", "not judged": "?"}


@dataclass(frozen=True, slots=True)
class ExperimentView:
    """An experiment on the page. `cited` are the criteria that rest on an event, by the event's number."""

    name: str
    anchor: str
    timeline: Timeline
    rows: tuple[Row, ...]
    events: int
    cited: Mapping[int, tuple[CriterionResult, ...]]

    @property
    def left_out(self) -> int:
        return self.events - len(self.rows)


@dataclass(frozen=True, slots=True)
class Page:
    """What the template asks about a report."""

    report: Report
    experiments: tuple[ExperimentView, ...]

    @property
    def criteria(self) -> list[CriterionResult]:
        return [one for exercise in self.report.exercises for one in exercise.criteria]

    @property
    def started(self) -> str:
        """When the grading began, to the minute."""
        return f"{datetime.fromisoformat(self.report.started).astimezone(UTC):%Y-%m-%d %H:%M} UTC"

    def count(self, status: str) -> int:
        return sum(one.status == status for one in self.criteria)

    def anchor(self, experiment: str, event: int | None = None) -> str | None:
        """Return where an experiment, or an event in its list, stands on the page; None if it does not."""
        for one in self.experiments:
            if one.name == experiment:
                if event is None:
                    return one.anchor
                return f"{one.anchor}-e{event}" if event in one.cited else None
        return None

    def criterion_anchor(self, criterion: CriterionResult) -> str:
        return f"c{self.criteria.index(criterion)}"

    def experiments_of(self, criterion: CriterionResult) -> list[str]:
        return list(dict.fromkeys(moment.experiment for moment in criterion.moments))


def render_html(report: Report, histories: Mapping[str, History]) -> str:
    """Return a report as an HTML document, with the timeline of each experiment that has a history."""
    page = Page(report, tuple(_experiments(report, histories)))
    style, script = read_asset("grading.html", "style.css"), read_asset("grading.html", "script.js")
    return _ENVIRONMENT.get_template("report.html").render(
        page=page,
        report=report,
        style=Markup(style),  # noqa: S704 - a file of this package
        script=Markup(script),  # noqa: S704 - a file of this package
        policy=f"default-src 'none'; style-src '{policy_digest(style)}'; script-src '{policy_digest(script)}'; base-uri 'none'",
        marks=MARKS,
        least_label_width=LEAST_LABEL_WIDTH,
        row_height=ROW_HEIGHT,
        axis_height=AXIS_HEIGHT,
    )


_ENVIRONMENT = make_environment("grading.html")


def _experiments(report: Report, histories: Mapping[str, History]) -> Iterator[ExperimentView]:
    cited: dict[str, dict[int, tuple[CriterionResult, ...]]] = {}
    for exercise in report.exercises:
        for criterion in exercise.criteria:
            for moment in criterion.moments:
                events = cited.setdefault(moment.experiment, {})
                known = events.get(moment.event, ())
                events[moment.event] = known if criterion in known else (*known, criterion)
    for number, (name, history) in enumerate(histories.items()):
        moments = cited.get(name, {})
        rows = listed(history, moments)
        shown = {row.event for row in rows}
        yield ExperimentView(
            name=name,
            anchor=f"x{number}",
            timeline=draw(history, moments),
            rows=rows,
            events=len(history.events),
            cited={event: criteria for event, criteria in moments.items() if event in shown},
        )
