"""The command `grading`, also as `python -m grading`."""

import sys

EXTRA = "grading"


def main() -> None:
    """Run the command line. Exit with 2 if the grader was installed without what it needs."""
    try:
        from grading.cli import main as run  # noqa: PLC0415 - may be missing its libraries
    except ModuleNotFoundError as error:
        if error.name != "typer":
            raise
        sys.exit(_without_extra())
    run()


def _without_extra() -> int:
    message = f"The grader needs its extra: install `llm-production-exam[{EXTRA}]`, or put [{EXTRA}] after the wheel's name."
    print(message, file=sys.stderr)  # noqa: T201 - rich is what is missing
    return 2


if __name__ == "__main__":
    main()
