"""Our own JSON: a list of reports, whatever their number. `grading schema` prints its schema."""

import json
from collections.abc import Sequence
from typing import Any, Final

from pydantic import TypeAdapter, computed_field

from grading.report import Report


class PrintedReport(Report):
    """A report with what it comes to: its points, the most there are, and whether everything was judged."""

    @computed_field  # type: ignore[prop-decorator]  # mypy knows no properties below decorators
    @property
    def points(self) -> float:
        """The points of all exercises that were graded, without the bonus."""
        return super().points

    @computed_field  # type: ignore[prop-decorator]  # as above
    @property
    def max_points(self) -> float:
        """The most points that these exercises can bring, without those that are a bonus."""
        return super().max_points

    @computed_field  # type: ignore[prop-decorator]  # as above
    @property
    def judged(self) -> bool:
        """Whether every verdict was given, except those that the submission itself prevented."""
        return super().judged


_REPORTS: Final = TypeAdapter(list[PrintedReport])


def render(reports: Sequence[Report]) -> str:
    """Return the reports as a list in JSON."""
    printed = [PrintedReport.model_construct(**dict(report)) for report in reports]
    return json.dumps(_REPORTS.dump_python(printed, mode="json"), indent=2, ensure_ascii=False) + "\n"


def schema() -> dict[str, Any]:
    """Return the JSON schema of what `render` returns."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "The reports of `grading --format json`",
        **_REPORTS.json_schema(mode="serialization"),
    }
