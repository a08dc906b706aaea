"""Records a grading run for the tests of reports: its report and histories, packed, with this machine's paths taken out.

python tests/recorded/record.py reference .
python tests/recorded/record.py starter exercises/exam/starter
"""

import re
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
PATHS = (
    (r"/tmp/grading-\d+/[0-9a-f]+", "/run/grading"),
    (r"/[\w./-]*/llm-grading/environments/[0-9a-f]+/[0-9a-f]+/env", "/opt/environment"),
)


def main(name: str, repository: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        words = [
            sys.executable,
            "-m",
            "grading",
            "score",
            repository,
            "--runtime",
            "process",
            "--out",
            folder,
            "--seed",
            "7",
        ]
        subprocess.run(words, check=False)
        [run] = Path(folder).iterdir()
        for path in run.rglob("*.json*"):
            text = path.read_text(encoding="utf-8")
            for pattern, replacement in PATHS:
                text = re.sub(pattern, replacement, text)
            path.write_text(text, encoding="utf-8")
        with tarfile.open(HERE / f"{name}.tar.gz", "w:gz") as archive:
            archive.add(run, arcname=name)


if __name__ == "__main__":
    main(*sys.argv[1:])
