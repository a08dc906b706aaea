"""The table `[tool.grading]` of a submission's pyproject.toml: what it says about itself."""

from pathlib import Path, PurePosixPath
from typing import Any

from grading.errors import SubmissionError
from grading.start import requirements
from grading.start.container import Container
from grading.start.requirements import Requirements
from grading.submission import Submission, inside

KEYS = ("assessment", "command", "cwd", "requirements")


def named_assessment(submission: Submission) -> str | None:
    """Return the name of the assessment that a submission says it is for.

    Raises SubmissionError if its pyproject.toml or the table is not valid.
    """
    name = _read(submission).get("assessment")
    if name is not None and not isinstance(name, str):
        raise SubmissionError("[tool.grading] assessment in pyproject.toml has to be a string.")
    return name


def named_requirements(submission: Submission) -> Requirements | None:
    """Return what the files of `requirements` ask for. Raises SubmissionError if one is not there."""
    names = _words(_read(submission).get("requirements", []), "requirements")
    return requirements.named(submission, names) if names else None


def container(submission: Submission) -> Container | None:
    """Return the start that the table commands, as that of a container; None if it has no `command`.

    Raises SubmissionError if the table is not valid.
    """
    table = _read(submission)
    if "command" not in table:
        if "cwd" in table:
            raise SubmissionError(
                "[tool.grading] has a cwd and no command; add the command that starts the service."
            )
        return None
    command = table["command"]
    words = _words(command, "command")
    cwd = inside(str(table.get("cwd", ".")))
    if cwd is None or not (submission.root / cwd).is_dir():
        raise SubmissionError(
            f"[tool.grading] cwd is {table['cwd']!r}, which is not a folder of the repository."
        )
    return Container(
        submission,
        "tool.grading",
        "[tool.grading] in pyproject.toml",
        workdir=PurePosixPath("/") / cwd,
        command=command if isinstance(command, str) else words,
    )


def _read(submission: Submission) -> dict[str, Any]:
    tool = (requirements.pyproject(submission, Path()) or {}).get("tool")
    table = tool.get("grading") if isinstance(tool, dict) else None
    if table is None:
        return {}
    unknown = [key for key in table if key not in KEYS] if isinstance(table, dict) else ["it is no table"]
    if unknown:
        raise SubmissionError(
            f"[tool.grading] in pyproject.toml takes {', '.join(KEYS)}, and not: {unknown[0]}."
        )
    return dict(table)


def _words(value: Any, key: str) -> list[str]:
    words = [value] if isinstance(value, str) else value
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise SubmissionError(
            f"[tool.grading] {key} in pyproject.toml has to be a string or a list of strings."
        )
    return words
