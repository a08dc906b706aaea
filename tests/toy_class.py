"""`grading class` for the toy assessment, as a program: its students are started and graded within seconds."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import typer

from grading.classroom.commands import grade_class
from lab.assessment import Assessment, load

HERE = Path(__file__).parent / "toy"
SOLUTION: Final = (HERE / "solution/app.py").read_text(encoding="utf-8")
README: Final = (HERE / "solution/README.md").read_text(encoding="utf-8")
PROJECT: Final = (HERE / "solution/pyproject.toml").read_text(encoding="utf-8")

app = typer.Typer(pretty_exceptions_enable=False)
app.command(name="class")(grade_class)


@app.callback()
def _commands(ctx: typer.Context) -> None:
    ctx.obj = toy


def toy(name: str = "toy") -> Assessment:
    """Return the toy assessment, which is the only one."""
    if name != "toy":
        raise KeyError(name)
    return load(HERE, "tests.toy")


def submission(**changes: str) -> Mapping[str, str]:
    """Return the files of the toy's solution with some of them changed; `app`, `readme` and `project` name them."""
    files = {"app": SOLUTION, "readme": README, "project": PROJECT, **changes}
    return {"app.py": files["app"], "README.md": files["readme"], "pyproject.toml": files["project"]}


if __name__ == "__main__":
    # As an importable module, so that the process of a student finds the assessment.
    from tests.toy_class import app as program

    program()
