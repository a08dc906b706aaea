"""Writes which lines of a service its tests have run, once they have ended: `python -E REPORT FOLDER`.

It runs in the environment of a submission, in a process that none of the submission's code has been in. FOLDER holds a
copy of coverage.py, its data and configuration, and in `files.json` the names of the service's files. `lines.json` gets
the lines of each that can run, and those of them that did not.
"""

import json
import sys
from pathlib import Path

OLDEST = (3, 11)
TOO_OLD = 73
"""The exit code where Python is older than coverage.py allows."""


def main(folder: Path) -> None:
    """Write `lines.json`. A file that is no Python has no lines."""
    if sys.version_info < OLDEST:
        sys.exit(TOO_OLD)
    import coverage  # noqa: PLC0415 - the copy that lies in the folder, as this file does
    from coverage.exceptions import CoverageException  # noqa: PLC0415

    measured = coverage.Coverage(config_file=str(folder / "coveragerc"))
    measured.combine([str(folder / "data")])
    lines = {}
    for name in json.loads((folder / "files.json").read_text(encoding="utf-8")):
        try:
            _, countable, _, missed, _ = measured.analysis2(str(Path(name).resolve()))
        except CoverageException:
            countable, missed = [], []
        lines[name] = (countable, missed)
    (folder / "lines.json").write_text(json.dumps(lines), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
