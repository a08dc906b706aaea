"""Writes the folder that makes this grader an autograder of a course platform."""

import json
import shutil
import uuid
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from grading.autograder.wheel import NAME, put_requirements, put_wheel
from grading.errors import UsageError
from lab.assessment import Assessment

HERE: Final = Path(__file__).parent
PLATFORM_SECONDS: Final = 600
"""How long a run may take: Gradescope's default and PrairieLearn's maximum."""
GRADING_SECONDS: Final = 540
"""How long the grader may take of that, so that a run which takes longer still has results."""
IMAGE: Final = "python:3.13"


class Platform(StrEnum):
    """Where an autograder runs."""

    GRADESCOPE = "gradescope"
    PRAIRIELEARN = "prairielearn"


def export_autograder(platform: Platform, folder: Path, assessment: Assessment) -> Path:
    """Write an autograder into `folder` and return what is to be uploaded.

    Raises UsageError where the folder holds something or cannot be written, and MachineError where uv fails.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} is not an empty folder; name one that does not exist yet.")
    archive = folder.with_name(f"{folder.name}.zip")
    if platform is Platform.GRADESCOPE and archive.exists():
        raise UsageError(f"{archive} is there already; remove it, or name another folder.")
    try:
        shutil.copytree(HERE / platform, folder, dirs_exist_ok=True)
        if platform is Platform.GRADESCOPE:
            _put_grader(folder, platform, assessment)
            shutil.make_archive(str(folder), "zip", folder)
            return archive
        _put_grader(folder / "tests", platform, assessment)
        (folder / "info.json").write_text(_json(_info(assessment)), encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{folder} cannot be written ({error.strerror}); name another folder.") from error
    return folder


def _put_grader(folder: Path, platform: Platform, assessment: Assessment) -> None:
    """Write what every autograder has: the grader, how to install it, and how to grade one submission."""
    for name in ("setup.sh", "grade.py"):
        shutil.copy(HERE / name, folder)
    settings = {"platform": platform, "assessment": assessment.name, "seconds": GRADING_SECONDS}
    (folder / "settings.json").write_text(_json(settings), encoding="utf-8")
    put_wheel(folder)
    put_requirements(folder)
    for name in ("setup.sh", "run_autograder", "entrypoint.sh"):
        if (path := folder / name).exists():  # a wheel keeps no permissions
            path.chmod(0o755)


def _info(assessment: Assessment) -> dict[str, Any]:
    """Return PrairieLearn's `info.json` of the question. It knows a question by its uuid, so that stays the same."""
    return {
        "uuid": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{NAME}/{assessment.name}")),
        "title": assessment.title,
        "topic": "LLM in production",
        "type": "v3",
        "gradingMethod": "External",
        "externalGradingOptions": {
            "enabled": True,
            "image": IMAGE,
            "entrypoint": "/grade/tests/entrypoint.sh",
            "timeout": PLATFORM_SECONDS,
            "enableNetworking": True,
        },
    }


def _json(value: dict[str, Any]) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
