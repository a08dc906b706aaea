"""The hostile submissions, as data: what each is made of, what it tries, and what must come of it.

One file of `corpus/` for each class. A submission is the honest service of `kit/` with an `attack.py`, or `files` of its
own; a `script` may make a repository of them. In all of these `@HOME@` is the instructor's home, `@CACHE@` the grader's
cache, `@OUT@` the folder of results, `@IMAGE@` an image of Python, and `@MARK@` a folder that stays empty unless a
program of the submission's runs where none may.
"""

import subprocess
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from tests.grading.conftest import IDENTITY

HERE = Path(__file__).parent
KIT = HERE / "kit" / "service.py"
ESCAPED = "ESCAPED "
"""What `kit/service.py` prints for a submission that has reached what is out of bounds."""


class Hostile(BaseModel):
    """One submission.

    `points` are the most that it may get: those of its honest parts. `exits` are the grader's exit codes that are right.
    `says` must be in the report or beside it, `never` in nothing that the grader writes. One that is `alone` is graded
    while no other is that takes a place.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    tries: str
    assessment: str = "week1"
    exercises: tuple[int, ...] = (5,)
    attack: str = ""
    files: dict[str, str] = Field(default_factory=dict)
    command: str = "python service.py"
    script: str = ""
    folder: str = "fork"
    at: str = ""
    points: float = 0
    exits: tuple[int, ...] = (1,)
    says: tuple[str, ...] = ()
    never: tuple[str, ...] = ()
    runtimes: tuple[str, ...] = ("sandbox",)
    alone: bool = False
    flaw: str = ""
    """Why the grader does not yet do what it should; the test is expected to fail."""

    def write(self, parent: Path, places: Mapping[str, str]) -> Path:
        """Write the submission into a folder of its own in `parent`, and return that."""
        root = parent / self.folder
        root.mkdir()
        for name, text in {**self._start(), **self.files}.items():
            file = root / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(_filled(text, places).encode("utf-8", "surrogatepass"))
        if self.script:
            # HOME: git must not read the configuration of whoever runs the tests.
            environment = {"PATH": places["@PATH@"], "HOME": str(parent / "author"), **IDENTITY}
            words = ["bash", "-euc", _filled(self.script, places)]
            subprocess.run(words, cwd=root, env=environment, check=True, capture_output=True, timeout=60)
        return root

    def _start(self) -> dict[str, str]:
        table = f'[tool.grading]\nassessment = "{self.assessment}"\ncommand = """{self.command}"""\n'
        return {
            "pyproject.toml": table,
            "requirements.txt": "# the standard library alone\n",
            "service.py": KIT.read_text(encoding="utf-8"),
            "attack.py": self.attack,
        }


def corpus() -> Iterator[tuple[str, Hostile]]:
    """Yield all submissions, each with the name of its class."""
    for file in sorted((HERE / "corpus").glob("*.toml")):
        for entry in tomllib.loads(file.read_text(encoding="utf-8"))["submissions"]:
            yield file.stem, Hostile.model_validate(entry)


def _filled(text: str, places: Mapping[str, str]) -> str:
    for name, place in places.items():
        text = text.replace(name, place)
    return text
