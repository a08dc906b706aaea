"""What reads a submission's texts, and does not hang or die with them."""

import asyncio
import os
import re
import socket
import time
from pathlib import Path

import pytest

from grading.bounded import OverBoundsError, bounded, bounded_aside
from grading.errors import SubmissionError
from grading.reading import plan
from tests.grading.conftest import EXAM, RESERVED, Repository

pytestmark = pytest.mark.medium


def test_a_value_comes_back() -> None:
    assert bounded(lambda: {"a": [1, "x" * 2_000_000]}, seconds=10)["a"][0] == 1


def test_an_error_that_was_meant_is_raised_as_it_was() -> None:
    def refuse() -> None:
        raise SubmissionError("It has no start; add one.", detail="a line")

    with pytest.raises(SubmissionError, match="It has no start; add one") as caught:
        bounded(refuse, seconds=10)
    assert caught.value.detail == "a line"


def test_an_error_comes_without_what_led_to_it_whatever_pickles_it() -> None:
    """Dask has tblib pickle tracebacks and causes too, which are too deep to pickle after a RecursionError."""
    pickling_support = pytest.importorskip("tblib.pickling_support")

    def recurse() -> None:
        recurse()

    def refuse() -> None:
        pickling_support.install()
        try:
            recurse()
        except RecursionError as error:
            raise SubmissionError("It is nested too deeply.") from error

    with pytest.raises(SubmissionError, match="It is nested too deeply") as caught:
        bounded(refuse, seconds=10)
    assert caught.value.__cause__ is None


def _nested_quantifier() -> object:
    return re.match(r"(a+)+$", "a" * 64 + "b")


def _memory() -> object:
    return bytearray(4 << 30)


def _trips() -> object:
    raise LookupError("no such thing")


def _dies() -> object:
    os._exit(9)


OVER_BOUNDS = [
    (
        _nested_quantifier,
        "more than 1 s of processor time|not read within 10 s",
    ),  # without a processor to itself
    (_memory, "memory"),
    (_trips, "LookupError: no such thing"),
    (_dies, "broke the process"),
]


@pytest.mark.parametrize(("work", "says"), OVER_BOUNDS)
def test_what_cannot_be_read_is_told(work: object, says: str) -> None:
    began = time.process_time()
    with pytest.raises(OverBoundsError, match=says):
        bounded(work, seconds=1)  # type: ignore[arg-type]
    assert time.process_time() - began < 1  # whoever asked did not read it


@pytest.mark.parametrize(("work", "says"), OVER_BOUNDS)
async def test_what_cannot_be_read_aside_is_told(work: object, says: str) -> None:
    with pytest.raises(OverBoundsError, match=says):
        await bounded_aside(work, seconds=1)  # type: ignore[arg-type]


async def test_the_loop_goes_on_while_something_is_read_aside(tmp_path: Path) -> None:
    made = tmp_path / "made-meanwhile"

    def read() -> str:
        while not made.exists():
            time.sleep(0.001)
        return made.read_text()

    reading = asyncio.ensure_future(bounded_aside(read, seconds=10))
    await asyncio.sleep(0)
    made.touch()

    assert await reading == ""


async def test_what_is_read_aside_keeps_no_connection_open() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        held = await bounded_aside(lambda: [one.name for one in Path("/proc/self/fd").iterdir()], seconds=10)

        assert {str(ours.fileno()), str(theirs.fileno())}.isdisjoint(held)


async def test_reading_aside_that_is_given_up_leaves_no_process() -> None:
    before = children()
    reading = asyncio.ensure_future(bounded_aside(_nested_quantifier, seconds=60))
    await asyncio.sleep(0)
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)

    assert children() <= before


def children() -> set[str]:
    """Return the ids of this process's children; waiting for any would take other tests' ones."""
    lists = Path("/proc/self/task").glob("*/children")
    return {pid for one in lists for pid in one.read_text().split()}


NOT_READ = {
    "pyproject.toml": ("a = " + "[" * 100_000, "pyproject.toml is not valid TOML"),
    "docker-compose.yml": (
        "a: &a [" + "x," * 10 + "]\n" + "".join(f"b{n}: &b{n} [*a, *a]\n" for n in range(2_000)),
        "docker-compose.yml is not valid YAML",
    ),
    "Dockerfile": (
        'FROM python:3.12\nCOPY "unbalanced .\nCMD ["uvicorn", "main:app"]\n',
        "cannot be read",
    ),
}


@pytest.mark.parametrize("name", NOT_READ)
def test_files_that_make_no_sense_end_in_a_sentence(name: str, tmp_path: Path) -> None:
    text, says = NOT_READ[name]
    files = {"src/api/main.py": "app = 1\n", "requirements.txt": "fastapi\n", name: text}
    submission = Repository(tmp_path / "repository").write(files).submission()

    with pytest.raises(SubmissionError, match=says) as caught:
        plan(submission, EXAM, RESERVED)
    assert len(str(caught.value)) < 500


def test_a_file_too_large_to_be_read_is_told(tmp_path: Path) -> None:
    files = {"src/api/main.py": "app = 1\n", "pyproject.toml": "#" * (5 << 20)}
    submission = Repository(tmp_path / "repository").write(files).submission()

    with pytest.raises(SubmissionError, match=r"pyproject.toml holds more than 4 MB"):
        plan(submission, EXAM, RESERVED)
