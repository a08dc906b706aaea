"""Which mutants do not even start. They would fail everything, and so test no verdict."""

import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from chaos.contract import Contract
from grading.calibrate.corpus import Case
from grading.calibrate.generated import starter

_NOWHERE = ("127.0.0.1", 9)


def stillborn(cases: Sequence[Case], contract: Contract) -> dict[str, str]:
    """Return why services do not come up, by the names of their cases."""
    main = PurePosixPath(contract.start.main)
    # src/api/main.py is api.main below src.
    below, module = main.parts[0], ".".join(main.with_suffix("").parts[1:])
    changed = [case for case in cases if any(change.file.endswith(".py") for change in case.changes)]
    if not changed:
        return {}
    with tempfile.TemporaryDirectory() as temporary:
        folders = {}
        for number, case in enumerate(changed):
            folder = Path(temporary) / str(number)
            folder.mkdir()
            case.write(folder)
            folders[str(folder / below)] = case.name
        ended = subprocess.run(  # noqa: S603 - our own program
            [sys.executable, starter.__file__, module, contract.endpoints["alive"], *folders],
            env=_environment(contract),
            capture_output=True,
            text=True,
            check=True,
        )
    lines = (line.split("\t") for line in ended.stdout.splitlines())
    return {folders[folder]: reason for folder, reason in lines}


def _environment(contract: Contract) -> dict[str, str]:
    secrets = contract.draw(random.Random(0))  # noqa: S311 - of nothing
    addresses = dict.fromkeys(contract.upstreams, _NOWHERE)
    credentials = {name: {"user": "lab", "password": "lab", "database": "lab"} for name in contract.upstreams}
    given = contract.environment(
        contract.given(secrets), addresses, origin="http://localhost:3000", credentials=credentials
    )
    return {"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"} | given
