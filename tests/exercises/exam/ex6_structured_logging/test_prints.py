import pytest

from chaos.history import File, History, Launched
from exercises.exam.ex6_structured_logging import checks
from lab.verdict import Verdict
from tests.lab.story import Story


def _files(files: dict[str, str], command: str = "") -> Verdict:
    story = Story("source_files")
    for path, text in files.items():
        story.add(File(path=path, text=text))
    launched = [History([Launched(command=command, cwd="/x")])] if command else []
    return checks.nothing_is_printed(story.end(), run=launched)


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


@pytest.mark.parametrize(("named", "status"), [("llm.urls", "failed"), ("other.urls", "passed")])
def test_nothing_is_printed_looks_at_what_a_text_imports(named: str, status: str) -> None:
    """Django reaches its apps by the names of their modules."""
    files = {
        "config/asgi.py": "from config import urls\n",
        "config/urls.py": f"urlpatterns = [path('', include('{named}'))]\n",
        "llm/urls.py": "from . import views\n",
        "llm/views.py": "print('x')\n",
        "src/api/main.py": "import config.asgi\n",
    }

    assert _files(files).status == status


@pytest.mark.parametrize(
    "path",
    ["src/api/tests/a.py", "src/api/test_a.py", "scripts/seed.py", "grading/cli.py", "src/api/notes.md"],
)
def test_nothing_is_printed_leaves_what_is_not_the_service(path: str) -> None:
    assert _one("print('x')\n", path).passed


MOVED = "/venv/bin/python -m uvicorn app.main:app --app-dir src --host 127.0.0.1 --port 8000"


@pytest.mark.parametrize(
    ("printing", "command", "passes"),
    [
        ("src/app/llm.py", MOVED, False),
        ("src/api/main.py", MOVED, True),
        ("src/api/main.py", "", False),
        ("app/llm.py", "gunicorn -c gunicorn.conf.py app.main:create_app()", False),
        ("src/api/main.py", "gunicorn -c gunicorn.conf.py app.main:create_app()", True),
        ("service/llm.py", "python -m service --port 8000", False),
        ("service/llm.py", "granian --interface asgi ./service/run.py", False),
        ("src/app/llm.py", "uvicorn main:app --app-dir src/api", True),
        ("run.py", "python run.py", False),
        ("src/api/main.py", "python run.py", False),
        ("seed.py", "python run.py", True),
    ],
)
def test_nothing_is_printed_looks_at_what_was_started(printing: str, command: str, *, passes: bool) -> None:
    clean = ("src/api/main.py", "src/app/main.py", "app/main.py", "service/__main__.py", "service/run.py")
    files = dict.fromkeys((*clean, "gunicorn.conf.py", "run.py"), "log.info('x')\n") | {
        printing: "print('x')\n"
    }

    assert _files(files, command).passed is passes


def test_nothing_is_printed_reads_the_start_from_pyproject_if_nothing_was_started() -> None:
    text = '[tool.grading]\ncommand = ["uvicorn", "app.main:app", "--app-dir", "src"]\n'
    files = {"src/app/main.py": "print('x')\n", "src/api/main.py": "", "pyproject.toml": text}

    assert _files(files).status == "failed"
    assert _files({**files, "pyproject.toml": "[tool.grading"}).passed


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
