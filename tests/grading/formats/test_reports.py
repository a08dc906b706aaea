import json
from typing import Any

import jsonschema
import pytest
from typer.testing import CliRunner

from grading.cli import app
from grading.formats.reports import render, schema
from grading.report import Report

pytestmark = pytest.mark.medium


@pytest.fixture(scope="module")
def validator() -> Any:
    jsonschema.Draft202012Validator.check_schema(schema())
    return jsonschema.Draft202012Validator(schema())


def test_every_sort_of_report_fits_the_schema(report: Report, validator: Any) -> None:
    [printed] = json.loads(render([report]))

    validator.validate([printed])
    assert (printed["points"], printed["max_points"], printed["judged"]) == (
        report.points,
        report.max_points,
        report.judged,
    )
    kept = {name: value for name, value in printed.items() if name not in {"points", "max_points", "judged"}}
    assert Report.model_validate(kept) == report


@pytest.mark.parametrize("number", [0, 1, 2])
def test_it_is_a_list_of_any_number(number: int, starter: Report) -> None:
    assert len(json.loads(render([starter] * number))) == number


@pytest.mark.parametrize("change", [{"points": None}, {"seed": "seven"}, {"unknown": 1}])
def test_the_schema_refuses_what_no_report_is(
    change: dict[str, Any], starter: Report, validator: Any
) -> None:
    [printed] = json.loads(render([starter]))

    assert not validator.is_valid([printed | change])


def test_a_command_prints_the_schema() -> None:
    shown = CliRunner().invoke(app, ["schema"])

    assert shown.exit_code == 0
    assert json.loads(shown.stdout) == schema()
