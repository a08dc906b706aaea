import pytest

from chaos.history import File
from exercises.exam.ex6_structured_logging import checks
from lab.verdict import Verdict
from tests.lab.story import Story


def _files(files: dict[str, str]) -> Verdict:
    story = Story("source_files")
    for path, text in files.items():
        story.add(File(path=path, text=text))
    return checks.nothing_is_printed(story.end())


def _one(text: str, path: str = "src/api/main.py", **others: str) -> Verdict:
    clean = {"src/api/clean.py": "log.info('x')\n"}
    return _files({path: text, **clean, **others})


def test_nothing_is_printed_passes() -> None:
    assert _one(
        "# print('x')\ntext = \"print('x')\"\nconsole.print(text)\npprint(text)\nself.print = 1\n"
    ).passed


@pytest.mark.parametrize(
    "text",
    [
        "print('x')\n",
        "def f():\n    print('x', file=sys.stderr)\n",
        "a = [print(b) for b in c]\n",
        "say = print\n",
        "hook(callback=print)\n",
        "import builtins\nbuiltins.print('x')\n",
        "from builtins import print as say\nsay('x')\n",
        "from rich import print\n",
        "import rich\nrich.print('x')\n",
        "if __name__ != '__main__':\n    print('x')\n",
        "if __name__ == '__main__':\n    pass\nelse:\n    print('x')\n",
        "def main():\n    print('x')\nif __name__ == '__main__':\n    main()\n",
    ],
)
def test_nothing_is_printed_fails(text: str) -> None:
    verdict = _one(text)

    assert verdict.status == "failed"
    assert "src/api/main.py, line" in verdict.actual


@pytest.mark.parametrize("path", ["src/api/tools/a.py", "src/api/chaos/a.py"])
def test_nothing_is_printed_looks_at_all_below_the_service(path: str) -> None:
    assert _one("print('x')\n", path).status == "failed"


@pytest.mark.parametrize("path", ["main.py", "app/routers/llm.py"])
def test_nothing_is_printed_looks_at_other_layouts(path: str) -> None:
    assert _files({path: "print('x')\n"}).status == "failed"


@pytest.mark.parametrize(
    "text", ["from shared.text import clean\n", "import src.shared.text\n", "from shared import text\n"]
)
def test_nothing_is_printed_looks_at_what_the_service_imports(text: str) -> None:
    printing = {"src/shared/text.py": "def clean():\n    print('x')\n"}

    assert _files({"src/api/main.py": text, **printing}).status == "failed"
    assert _files({"src/api/main.py": "import json\n", **printing}).passed


@pytest.mark.parametrize(
    "path",
    ["src/api/tests/a.py", "src/api/test_a.py", "scripts/seed.py", "grading/cli.py", "src/api/notes.md"],
)
def test_nothing_is_printed_leaves_what_is_not_the_service(path: str) -> None:
    assert _one("print('x')\n", path).passed


SCRIPT = "def main():\n    print('x')\n\n\nif __name__ == '__main__':\n    main()\n"


def test_nothing_is_printed_allows_a_module_that_is_run_by_itself() -> None:
    assert _one("x = 1\nif __name__ == '__main__':\n    print(x)\n").passed
    assert _one(SCRIPT, "src/api/healthcheck.py").passed


def test_nothing_is_printed_fails_a_script_that_the_service_imports() -> None:
    main = {"src/api/main.py": "from api.healthcheck import main\n"}

    assert _one(SCRIPT, "src/api/healthcheck.py", **main).status == "failed"


def test_nothing_is_printed_passes_over_what_cannot_be_parsed() -> None:
    assert _one("def (:\n").passed


def test_nothing_is_printed_is_not_judged_without_files() -> None:
    verdict = _files({})

    assert (verdict.status, verdict.blame) == ("not judged", "harness")
