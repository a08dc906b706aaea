"""Writes which lines of a service its tests have run, once they have ended: `python -I REPORT FOLDER DATA SOURCE`.

It runs in the environment of a submission, in a process that none of the submission's code has been in. FOLDER is new since
the tests have ended. It holds a copy of coverage.py, its configuration, and in `files.json` the names of the service's
files, which are in the folder SOURCE. `lines.json` gets the lines of each that can run, and those of them that did not.
DATA is the folder of what was measured, the only thing here that the tests have written.
"""

import json
import sys
from pathlib import Path

OLDEST = (3, 11)
DATA_NAME = "coverage"
"""How the names of files in DATA begin."""
TOO_OLD = 73
"""The exit code where Python is older than coverage.py allows."""


def main(folder: Path, data: Path, source: Path) -> None:
    """Write `lines.json`. A file that is no Python has no lines."""
    if sys.version_info < OLDEST:
        sys.exit(TOO_OLD)
    sys.path.insert(0, str(folder))
    import coverage  # noqa: PLC0415 - the copy that lies in the folder, as this file does
    from coverage.exceptions import CoverageException  # noqa: PLC0415

    combined = folder / "combined" / DATA_NAME
    combined.parent.mkdir()
    measured = coverage.Coverage(data_file=str(combined), config_file=str(folder / "coveragerc"))
    # Modules of a service that was installed as a copy lie there.
    measured.set_option("paths", {"service": [str(source.resolve()), "*/site-packages", "*/src"]})
    measured.combine([str(data)])
    lines = {}
    for name in json.loads((folder / "files.json").read_text(encoding="utf-8")):
        try:
            _, countable, _, missed, _ = measured.analysis2(str(Path(name).resolve()))
        except CoverageException:
            countable, missed = [], []
        lines[name] = (countable, missed)
    (folder / "lines.json").write_text(json.dumps(lines), encoding="utf-8")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
