"""A grading run on disk: the report and the histories behind it, to be looked at and judged again."""

import re
from pathlib import Path

from chaos.history import History
from grading.errors import UsageError
from grading.report import Report

REPORT = "report.json"
HISTORIES = "histories"


def save(folder: Path, report: Report, histories: dict[str, History]) -> Path:
    """Write a run into its own folder below `folder` and return it; raises UsageError where that cannot be done."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", report.submission).strip("-.") or "submission"
    target = folder / name
    number = 1
    while (target / REPORT).exists():
        number += 1
        target = folder / f"{name}-{number}"
    try:
        (target / HISTORIES).mkdir(parents=True, exist_ok=True)
        for experiment, history in histories.items():
            history.dump(target / HISTORIES / f"{experiment}.jsonl")
        (target / REPORT).write_text(report.model_dump_json(indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"The results cannot be written to {target} ({error.strerror}); choose another --out."
        ) from error
    return target


def load(folder: Path) -> tuple[Report, dict[str, History]]:
    """Read what `save` wrote into `folder`; raises UsageError where it holds no run, or one that cannot be read."""
    try:
        report = Report.model_validate_json((folder / REPORT).read_text(encoding="utf-8"))
        files = sorted((folder / HISTORIES).glob("*.jsonl"))
        return report, {path.stem: History.load(path) for path in files}
    except FileNotFoundError:
        raise UsageError(f"{folder} holds no graded run; give a folder that --out has filled.") from None
    except (OSError, ValueError) as error:
        raise UsageError(
            f"The run in {folder} cannot be read ({type(error).__name__}); grade it again."
        ) from error
