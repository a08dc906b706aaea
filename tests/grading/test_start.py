"""Which start a repository's files come down to."""

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from grading.errors import SubmissionError
from grading.start import Build, Requirements, StartPlan, named_assessment, plan
from grading.submission import Submission

from .conftest import EXAM, RESERVED, Repository

pytestmark = pytest.mark.medium

ADDRESS = ("--host", "{host}", "--port", "{port}")
DEFAULT = ("uvicorn", "api.main:app", "--app-dir", "src", *ADDRESS)
FLAT = ("uvicorn", "main:app", *ADDRESS)
PACKAGE = {
    "src/api/__init__.py": "",
    "src/api/main.py": "from api.config import settings\n",
    "src/api/config.py": "",
}
MODULES = {
    "src/api/main.py": "from config import settings\n",
    "src/api/config.py": "",
    "src/api/requirements.txt": "uvicorn\n",
}
ROOT_FILE = {"requirements.txt": "uvicorn\n"}
IN_ROOT = Requirements(files=(Path("requirements.txt"),))
IN_API = Requirements(files=(Path("src/api/requirements.txt"),))


def planned(repository: Repository, files: dict[str, str]) -> StartPlan:
    return repository.write(files).plan()


# -- by default


@pytest.mark.parametrize(
    "line", ["from api.config import x", "import api.config", "from .config import x", "import fastapi"]
)
def test_a_package(repository: Repository, line: str) -> None:
    found = planned(repository, PACKAGE | ROOT_FILE | {"src/api/main.py": line})
    assert found == StartPlan(DEFAULT, Path(), IN_ROOT, "default")


def test_a_package_without_an_init_file(repository: Repository) -> None:
    files = {"src/api/main.py": "from api.config import x", "src/api/config.py": ""}
    assert planned(repository, files | ROOT_FILE).command == DEFAULT


@pytest.mark.parametrize("more", [{}, {"src/api/__init__.py": ""}])
def test_flat_modules(repository: Repository, more: dict[str, str]) -> None:
    assert planned(repository, MODULES | more) == StartPlan(FLAT, Path("src/api"), IN_API, "default")


def test_flat_modules_without_imports_of_their_own(repository: Repository) -> None:
    found = planned(repository, {"src/api/main.py": "import fastapi", "src/api/requirements.txt": ""})
    assert (found.command, found.cwd) == (FLAT, Path("src/api"))


def test_a_module_named_like_one_of_the_standard_library(repository: Repository) -> None:
    files = PACKAGE | ROOT_FILE | {"src/api/main.py": "import logging", "src/api/logging.py": ""}
    assert planned(repository, files).command == DEFAULT


def test_modules_that_name_src(repository: Repository) -> None:
    files = PACKAGE | ROOT_FILE | {"src/api/main.py": "from src.api.config import x"}
    assert planned(repository, files).command == ("uvicorn", "src.api.main:app", *ADDRESS)


def test_a_main_that_does_not_parse_is_still_started(repository: Repository) -> None:
    assert planned(repository, PACKAGE | ROOT_FILE | {"src/api/main.py": "def ("}).command == DEFAULT


def test_nothing_to_start(repository: Repository) -> None:
    with pytest.raises(SubmissionError, match=r"src/api/main\.py.*\[tool\.grading\] command"):
        planned(repository, ROOT_FILE)


def test_the_advice_is_the_assessments_example(repository: Repository) -> None:
    other = EXAM.model_copy(update={"main": Path("app/main.py"), "example": "serve it"})
    with pytest.raises(
        SubmissionError, match=r'no app/main\.py; write .*\[tool\.grading\] command = "serve it"'
    ):
        repository.write(ROOT_FILE).plan(other)


def test_a_repository_without_anything_that_could_start(repository: Repository) -> None:
    with pytest.raises(SubmissionError, match=r"nothing to start.*pyproject\.toml.*src/api"):
        planned(repository, {"docs/x.md": ""})


# -- by default, with the application elsewhere

MAIN = EXAM.model_copy(update={"main": Path("src/main.py")})


@pytest.mark.parametrize("line", ["from src.config import x", "from .config import x", "import fastapi"])
def test_a_package_at_the_top(repository: Repository, line: str) -> None:
    files = ROOT_FILE | {"src/__init__.py": "", "src/main.py": line, "src/config.py": ""}
    found = repository.write(files).plan(MAIN)
    assert (found.command, found.cwd) == (("uvicorn", "src.main:app", *ADDRESS), Path())


def test_flat_modules_at_the_top(repository: Repository) -> None:
    files = {"src/main.py": "import config", "src/config.py": "", "src/requirements.txt": ""}
    found = repository.write(files).plan(MAIN)
    assert (found.command, found.cwd) == (FLAT, Path("src"))
    assert found.requirements.files == (Path("src/requirements.txt"),)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("from service.http.x import y", ("uvicorn", "service.http.app:app")),
        ("from http.x import y", ("uvicorn", "http.app:app", "--app-dir", "service")),
    ],
)
def test_a_module_of_another_name(repository: Repository, line: str, words: tuple[str, ...]) -> None:
    other = EXAM.model_copy(update={"main": Path("service/http/app.py")})
    files = ROOT_FILE | {"service/http/app.py": line, "service/http/__init__.py": ""}
    assert repository.write(files).plan(other).command == (*words, *ADDRESS)


def test_a_module_in_the_root(repository: Repository) -> None:
    files = ROOT_FILE | {"main.py": "import config", "config.py": ""}
    found = repository.write(files).plan(EXAM.model_copy(update={"main": Path("main.py")}))
    assert (found.command, found.cwd) == (FLAT, Path())


# -- by the table [tool.grading]


def grading(table: str, more: str = "") -> dict[str, str]:
    return {"pyproject.toml": f"{more}\n[tool.grading]\n{table}\n"}


def test_the_table_decides(repository: Repository) -> None:
    files = PACKAGE | ROOT_FILE | {"Dockerfile": "FROM x\nCMD other\n", "service/app.py": ""}
    table = 'command = "uvicorn app:app --reload --port {port}"\ncwd = "service"\nrequirements = "requirements.txt"'
    found = planned(repository, files | grading(table))
    assert found == StartPlan(("uvicorn", "app:app", *ADDRESS), Path("service"), IN_ROOT, "tool.grading")


def test_the_command_may_be_a_list(repository: Repository) -> None:
    table = 'command = ["serve", "--at", "{host}:{port}"]\nrequirements = ["a.txt", "b/b.txt"]'
    found = planned(repository, {"a.txt": "", "b/b.txt": ""} | grading(table))
    assert found.command == ("serve", "--at", "{host}:{port}")
    assert found.requirements.files == (Path("a.txt"), Path("b/b.txt"))


@pytest.mark.parametrize(("name", "locked"), [("app/uv.lock", True), ("app/pyproject.toml", False)])
def test_the_requirements_may_be_a_project(repository: Repository, name: str, locked: bool) -> None:  # noqa: FBT001 - a parameter of the test
    files = {"app/uv.lock": "", "app/pyproject.toml": ""}
    found = planned(repository, files | grading(f'command = "uvicorn a:b"\nrequirements = "{name}"'))
    assert found.requirements == Requirements(project=Path("app"), locked=locked)


def test_only_the_requirements(repository: Repository) -> None:
    found = planned(
        repository, PACKAGE | ROOT_FILE | {"other.txt": ""} | grading('requirements = "other.txt"')
    )
    assert (found.source, found.command) == ("default", DEFAULT)
    assert found.requirements.files == (Path("other.txt"),)


def test_only_the_requirements_and_no_other_dependency_files(repository: Repository) -> None:
    found = planned(repository, PACKAGE | {"other.txt": ""} | grading('requirements = "other.txt"'))
    assert found.requirements.files == (Path("other.txt"),)


def test_a_module_that_is_not_seen_is_the_tables_word(repository: Repository) -> None:
    found = planned(repository, ROOT_FILE | grading('command = "uvicorn made.elsewhere:app"'))
    assert found.command == ("uvicorn", "made.elsewhere:app", *ADDRESS)


def test_the_table_may_name_an_assessment(repository: Repository) -> None:
    files = PACKAGE | ROOT_FILE | grading('assessment = "week1"')
    assert planned(repository, files).command == DEFAULT
    assert named_assessment(repository.submission()) == "week1"


@pytest.mark.parametrize("files", [{}, {"pyproject.toml": ""}, {"pyproject.toml": "[tool.grading]"}])
def test_no_assessment_is_named(repository: Repository, files: dict[str, str]) -> None:
    assert named_assessment(repository.write(files).submission()) is None


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[tool.grading]\nassessment = 1", "assessment .* has to be a string"),
        ("[tool.grading]\nassessment = ['exam']", "assessment .* has to be a string"),
        ("[tool.grading]\nassesment = 'exam'", "not: assesment"),
        ("tool = {grading = 1}", "no table"),
        ("[tool.grading", "not valid TOML"),
    ],
)
def test_an_assessment_that_is_wrong(repository: Repository, text: str, says: str) -> None:
    with pytest.raises(SubmissionError, match=says):
        named_assessment(repository.write({"pyproject.toml": text}).submission())


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ('comand = "x"', "not: comand"),
        ("command = 1", "string or a list"),
        ('command = ["uvicorn", 1]', "string or a list"),
        ('command = ""', "is empty"),
        ('cwd = "src"', "no command"),
        ('command = "x"\ncwd = ".."', "not a folder of the repository"),
        ('command = "x"\ncwd = "/"', "not a folder of the repository"),
        ('command = "x"\nrequirements = "../x.txt"', "not in the repository"),
        ('command = "x"\nrequirements = "/etc/passwd"', "not in the repository"),
        ('command = "x"\nrequirements = {a = 1}', "string or a list"),
        ("command = ", "not valid TOML"),
        ("[[tool.grading.x]]", "not: x"),
        ('command = "python main.py"', "fixed port 8000"),
    ],
)
def test_a_table_that_is_wrong(repository: Repository, table: str, says: str) -> None:
    files = PACKAGE | ROOT_FILE | {"main.py": "import uvicorn\nuvicorn.run('x:app', port=8000)\n"}
    with pytest.raises(SubmissionError, match=says):
        planned(repository, files | grading(table))


# -- Dockerfiles


PIP = "COPY requirements.txt .\nRUN pip install --no-cache-dir -r requirements.txt\n"
DOCKERFILES: dict[str, tuple[dict[str, str], StartPlan]] = {
    "the whole repository, a package": (
        PACKAGE
        | ROOT_FILE
        | {"Dockerfile": f'FROM python:3.12-slim\nWORKDIR /app\n{PIP}COPY . .\nWORKDIR /app/src\nCMD ["uvicorn", "api.main:app", "--host", "0.0.0.0"]\n'},
        StartPlan(("uvicorn", "api.main:app", *ADDRESS), Path("src"), Requirements(files=(Path("requirements.txt"),), python="3.12"), "dockerfile"),
    ),
    "flat modules, built from their folder": (
        MODULES | {"src/api/Dockerfile": f"FROM python:3.11\nWORKDIR /app\n{PIP}COPY . .\nCMD uvicorn main:app --host 0.0.0.0 --port ${{PORT:-8000}}\n"},
        StartPlan(FLAT, Path("src/api"), Requirements(files=(Path("src/api/requirements.txt"),), python="3.11"), "dockerfile"),
    ),
    "flat modules, built from the root": (
        MODULES | {"src/api/Dockerfile": "FROM base\nWORKDIR /srv\nCOPY src/api/requirements.txt ./\nRUN pip3 install -r requirements.txt\nCOPY src/api/ ./\nCMD uvicorn main:app\n"},
        StartPlan(FLAT, Path("src/api"), IN_API, "dockerfile"),
    ),
    "the package's folder under its name": (
        PACKAGE | ROOT_FILE | {"Dockerfile": f"FROM base\nWORKDIR /app\n{PIP}COPY src/api ./api\nCMD uvicorn api.main:app\n"},
        StartPlan(("uvicorn", "api.main:app", *ADDRESS), Path("src"), IN_ROOT, "dockerfile"),
    ),
    "src as a folder, found by PYTHONPATH": (
        PACKAGE | ROOT_FILE | {"Dockerfile": f'FROM base\nENV PYTHONPATH="${{PYTHONPATH}}:/app/src:/opt" PYTHONUNBUFFERED=1\nWORKDIR /app\n{PIP}COPY src ./src\nCMD uvicorn api.main:app\n'},
        StartPlan(("uvicorn", "api.main:app", *ADDRESS), Path(), IN_ROOT, "dockerfile", {"PYTHONPATH": ":{root}/src:/opt", "PYTHONUNBUFFERED": "1"}),
    ),
    "an absolute --app-dir": (
        PACKAGE | ROOT_FILE | {"Dockerfile": f"FROM base\nWORKDIR /app\n{PIP}COPY src/ /app/src/\nCMD uvicorn api.main:app --app-dir=/app/src\n"},
        StartPlan(("uvicorn", "api.main:app", "--app-dir=src", *ADDRESS), Path(), IN_ROOT, "dockerfile"),
    ),
    "modules by a pattern, and folders beside them": (
        MODULES | {"src/api/utils/x.py": "", "Dockerfile": "FROM base\nWORKDIR /app\nCOPY src/api/*.py ./\nCOPY src/api/utils ./utils\nRUN pip install uvicorn 'fastapi[standard]>=0.110' --upgrade pip\nCMD uvicorn main:app\n"},
        StartPlan(FLAT, Path("src/api"), Requirements(packages=("uvicorn", "fastapi[standard]>=0.110")), "dockerfile"),
    ),
    "two stages, wheels": (
        MODULES | {"src/api/Dockerfile": 'FROM python:3.11 AS build\nWORKDIR /b\nCOPY requirements.txt .\nRUN pip wheel -r requirements.txt -w /wheels\nFROM python:3.12-slim AS run\nCOPY --from=build /wheels /wheels\nRUN pip install --no-index --find-links=/wheels /wheels/*\nWORKDIR /app\nCOPY . /app/\nUSER nobody\nEXPOSE 80\nHEALTHCHECK CMD curl x\nENTRYPOINT ["uvicorn"]\nCMD ["main:app"]\n'},
        StartPlan(FLAT, Path("src/api"), Requirements(files=(Path("src/api/requirements.txt"),), python="3.12"), "dockerfile"),
    ),
    "two stages, the application from the first": (
        PACKAGE | ROOT_FILE | {"Dockerfile": f"FROM python:3.11 AS build\nWORKDIR /app\n{PIP}COPY . .\nFROM python:3.11\nCOPY --from=build /app /srv\nWORKDIR /srv/src\nCMD uvicorn api.main:app\n"},
        StartPlan(("uvicorn", "api.main:app", *ADDRESS), Path("src"), Requirements(files=(Path("requirements.txt"),), python="3.11"), "dockerfile"),
    ),
    "uv, as its documentation has it": (
        PACKAGE
        | {
            "pyproject.toml": "[project]\n",
            "uv.lock": "",
            "Dockerfile": "FROM ghcr.io/astral-sh/uv:python3.12-bookworm-slim AS builder\nWORKDIR /app\n"
            "RUN --mount=type=cache,target=/root/.cache/uv \\\n    --mount=type=bind,source=uv.lock,target=uv.lock \\\n"
            "    # only what is locked\n    uv sync --frozen --no-install-project --no-dev --extra prod\n"
            "COPY . /app\nRUN uv sync --frozen --no-dev\nFROM python:3.12-slim-bookworm\nCOPY --from=builder /app /app\n"
            'ENV PATH="/app/.venv/bin:$PATH"\nWORKDIR /app\nCMD ["uvicorn", "api.main:app", "--app-dir", "/app/src"]\n',
        },
        StartPlan(DEFAULT, Path(), Requirements(project=Path(), locked=True, extras=("prod",), python="3.12"), "dockerfile"),
    ),
    "an entry point that hands on": (
        MODULES | {"src/api/entry.sh": '#!/bin/sh\nset -e\nexec "$@"\n', "src/api/Dockerfile": 'FROM base\nWORKDIR /app\nCOPY . .\nENTRYPOINT ["/app/entry.sh"]\nCMD ["uvicorn", "main:app"]\n'},
        StartPlan(FLAT, Path("src/api"), IN_API, "dockerfile"),
    ),
    "variables of the build": (
        MODULES | {"src/api/Dockerfile": "ARG V=3.12\nFROM python:${V}-slim\nARG HOME_DIR=/opt/app\nENV APP=$HOME_DIR\nWORKDIR ${APP}\nCOPY . .\nENV CACHE=${APP}/cache JWT_SECRET_KEY=changeme\nENV LEVEL info\nCMD uvicorn main:app\n"},
        StartPlan(FLAT, Path("src/api"), Requirements(files=(Path("src/api/requirements.txt"),), python="3.12"), "dockerfile", {"APP": "{root}/src/api", "CACHE": "{root}/src/api/cache", "LEVEL": "info"}),
    ),
    "a here-document": (
        MODULES | {"src/api/Dockerfile": "FROM base\nWORKDIR /app\nCOPY . .\nRUN <<EOF\nset -e\npip install -r requirements.txt\nEOF\nCMD uvicorn main:app\n"},
        StartPlan(FLAT, Path("src/api"), IN_API, "dockerfile"),
    ),
    "installed in editable form": (
        PACKAGE | {"pyproject.toml": "[project]\ndependencies = ['uvicorn']\n", "Dockerfile": "FROM base\nWORKDIR /app\nCOPY . .\nRUN pip install -e '.[prod]'\nCMD uvicorn api.main:app --app-dir src\n"},
        StartPlan(DEFAULT, Path(), Requirements(project=Path(), extras=("prod",)), "dockerfile"),
    ),
    "a package beside a lock": (
        PACKAGE | {"uv.lock": "", "pyproject.toml": "[project]\n[project.optional-dependencies]\nmetrics = []\n", "Dockerfile": 'FROM base\nWORKDIR /app\nCOPY . .\nRUN pip install uv poetry-plugin-export\nRUN uv sync --frozen --all-extras && uv pip install gunicorn\nCMD\t["gunicorn", "-c", "python:api.conf", "--pythonpath", "src", "api.main:app"]\n'},
        StartPlan(
            ("gunicorn", "-c", "python:api.conf", "--pythonpath", "src", "api.main:app", "--bind", "{host}:{port}"),
            Path(),
            Requirements(project=Path(), locked=True, extras=("metrics",), packages=("gunicorn",)),
            "dockerfile",
        ),
    ),
    "a volume": (
        MODULES | {"src/api/Dockerfile": 'FROM base\nWORKDIR /app\nCOPY . .\nVOLUME ["/data"]\nENV TRACES=/data/traces FILES=/app/files\nCMD uvicorn main:app\n'},
        StartPlan(FLAT, Path("src/api"), IN_API, "dockerfile", {"TRACES": "{root}/traces", "FILES": "{root}/src/api/files"}),
    ),
    "a byte order mark": (
        MODULES | {"src/api/Dockerfile": "\ufeffFROM base\nWORKDIR /app\nCOPY . .\nCMD uvicorn main:app\n"},
        StartPlan(FLAT, Path("src/api"), IN_API, "dockerfile"),
    ),
    "no command": (
        PACKAGE | ROOT_FILE | {"Dockerfile": "FROM base\n"},
        StartPlan(DEFAULT, Path(), IN_ROOT, "default"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", DOCKERFILES)
def test_dockerfiles(repository: Repository, name: str) -> None:
    files, expected = DOCKERFILES[name]
    found = planned(repository, files)
    assert replace(found, build=None) == expected
    assert (found.build is None) == (expected.source != "dockerfile")


def test_the_image_of_a_dockerfile_is_built_from_the_folder_that_has_what_it_copies(
    repository: Repository,
) -> None:
    text = "FROM python\nWORKDIR /app\nCOPY requirements.txt ./\nCOPY src ./src\nCMD uvicorn api.main:app --app-dir src"

    found = planned(repository, PACKAGE | ROOT_FILE | {"src/api/Dockerfile": text})

    assert found.build == Build(Path("src/api/Dockerfile"), Path())


def test_the_folder_that_an_image_is_built_from_has_what_all_stages_copy(repository: Repository) -> None:
    text = (
        "FROM python AS build\nWORKDIR /app\nCOPY requirements.txt ./\nCOPY src ./src\n"
        "FROM python\nWORKDIR /app\nCOPY --from=build /app /app\nCMD uvicorn api.main:app --app-dir src"
    )

    found = planned(repository, PACKAGE | ROOT_FILE | {"src/api/Dockerfile": text})

    assert (found.command, found.build) == (DEFAULT, Build(Path("src/api/Dockerfile"), Path()))


def test_a_command_for_an_image_names_its_programs_alone(repository: Repository) -> None:
    text = "FROM python\nWORKDIR /app\nCOPY . .\nCMD uvicorn api.main:app --app-dir src"

    found = planned(repository, PACKAGE | ROOT_FILE | {"Dockerfile": text})

    assert found.argv_in_image("0.0.0.0", 8000)[0] == "uvicorn"
    assert found.argv_in_image("0.0.0.0", 8000)[-4:] == ["--host", "0.0.0.0", "--port", "8000"]


@pytest.mark.parametrize("option", ["--log-config log.json", "--log-config=log.json"])
def test_a_file_that_is_copied_beside_the_package(repository: Repository, option: str) -> None:
    text = (
        "FROM python\nWORKDIR /app\nCOPY log.json ./\nCOPY src/api ./api\nCMD uvicorn api.main:app " + option
    )
    found = planned(repository, PACKAGE | ROOT_FILE | {"Dockerfile": text, "log.json": "{}"})
    assert found.cwd == Path("src")
    assert (
        " ".join(found.command)
        == f"uvicorn api.main:app {option.replace('log.json', '../log.json')} {' '.join(ADDRESS)}"
    )


def test_the_file_in_src_api_goes_first(repository: Repository) -> None:
    files = MODULES | {
        "Dockerfile": "FROM x\nCMD other\n",
        "src/api/Dockerfile": "FROM x\nWORKDIR /a\nCOPY . .\nCMD uvicorn main:app\n",
    }
    assert planned(repository, files).command == FLAT


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            "FROM x\nWORKDIR /a\nCOPY docs .\nCMD uvicorn main:app\n",
            r"starts main, which is not in docs.*with its cwd",
        ),
        ("FROM x\nWORKDIR /b\nCOPY . /a\nCMD uvicorn main:app\n", r"starts in /b.*with its cwd"),
        ("FROM x\nCOPY . /\nCMD uvicorn api.main:app | tee log\n", "pipe"),
        ("FROM x\nWORKDIR /a\nCOPY . .\nCMD python serve.py\n", "fixed port 9000"),
        ("CMD uvicorn main:app\n", "no FROM"),
    ],
)
def test_dockerfiles_that_are_not_understood(repository: Repository, text: str, says: str) -> None:
    files = (
        PACKAGE | ROOT_FILE | {"docs/x.md": "", "serve.py": "import uvicorn\nuvicorn.run('x', port=9000)\n"}
    )
    with pytest.raises(SubmissionError, match=says):
        planned(repository, files | {"Dockerfile": text})


@pytest.mark.parametrize(
    "line",
    [
        'COPY "a b .',
        f"COPY {'a' * 5000} .",
        *["\n".join(["ENV A=aa", *["ENV A=$A$A"] * 60])],
    ],
)
def test_dockerfiles_that_cannot_be_read(repository: Repository, line: str) -> None:
    text = f"FROM x\nWORKDIR /app\n{line}\nCMD uvicorn main:app\n"
    with pytest.raises(SubmissionError, match=r"cannot be read.*\[tool\.grading\] command"):
        planned(repository, MODULES | {"Dockerfile": text})


@pytest.mark.parametrize("pattern", ["src/**py", "s**", "src/***"])
def test_stars_that_are_not_a_whole_part_of_a_path_are_one(repository: Repository, pattern: str) -> None:
    text = f"FROM x\nWORKDIR /app\nCOPY {pattern} src/\nCMD uvicorn main:app\n"
    with pytest.raises(SubmissionError) as caught:
        planned(repository, PACKAGE | {"Dockerfile": text})
    assert "cannot be read" not in str(caught.value)


# -- compose files


def api(service: str, more: str = "") -> dict[str, str]:
    body = "".join(f"    {line}\n" for line in service.splitlines())
    return {"docker-compose.yml": f"services:\n  api:\n{body}  qdrant:\n    image: qdrant/qdrant\n{more}"}


PLAIN = {
    "src/api/Dockerfile": "FROM x\nWORKDIR /app\nCOPY . .\nENV A=docker\nCMD uvicorn main:app --workers 1\n"
}


def test_compose_builds_a_dockerfile(repository: Repository) -> None:
    found = planned(repository, MODULES | PLAIN | api("build: ./src/api\nports: ['8000:8000']"))
    assert found == StartPlan(
        ("uvicorn", "main:app", "--workers", "1", *ADDRESS),
        Path("src/api"),
        IN_API,
        "compose",
        {"A": "docker"},
        build=Build(Path("src/api/Dockerfile"), Path("src/api")),
    )


def test_compose_overrides_the_dockerfile(repository: Repository) -> None:
    service = 'build:\n  context: .\n  dockerfile: docker/api\nworking_dir: /srv/src\ncommand: uvicorn api.main:app --port ${PORT:-8000}\nenvironment:\n  A: compose\n  B: "${B:-b}"'
    files = (
        PACKAGE
        | ROOT_FILE
        | {
            "docker/api": 'FROM x\nWORKDIR /srv\nCOPY . .\nENV A=docker\nENTRYPOINT ["tini", "--"]\nCMD uvicorn x:y\n'
        }
    )
    found = planned(repository, files | api(service))
    assert found == StartPlan(
        ("uvicorn", "api.main:app", *ADDRESS),
        Path("src"),
        IN_ROOT,
        "compose",
        {"A": "compose", "B": "b"},
        build=Build(Path("docker/api"), Path()),
    )


def test_compose_without_a_build_mounts_the_files(repository: Repository) -> None:
    service = "image: python:3.11\nworking_dir: /code\nvolumes: ['./src/api:/code:ro', 'data:/data']\ncommand: sh -c 'pip install -r requirements.txt && uvicorn main:app --host 0.0.0.0'\nenvironment: {TRACES: /data/traces}"
    assert planned(repository, MODULES | api(service)) == StartPlan(
        FLAT, Path("src/api"), IN_API, "compose", {"TRACES": "{root}/traces"}
    )


def test_the_stage_that_compose_names(repository: Repository) -> None:
    text = "FROM x AS prod\nWORKDIR /a\nCOPY . .\nCMD uvicorn main:app\nFROM prod AS dev\nCMD pytest\n"
    files = MODULES | {"src/api/Dockerfile": text}
    assert planned(repository, files | api("build: {context: src/api, target: prod}")).command == FLAT
    with pytest.raises(SubmissionError, match="no stage other"):
        planned(repository, files | api("build: {context: src/api, target: other}"))


@pytest.mark.parametrize("style", ["map", "list"])
def test_variables_that_need_the_contract_or_other_containers_are_left_to_the_lab(
    repository: Repository, style: str
) -> None:
    given = {
        "JWT_SECRET_KEY": "changeme",
        "LITELLM_URL": "http://litellm:4000",
        "VECTORS": "http://qdrant:6333",
        "HOSTED": "qdrant",
        "KEY": "${KEY}",
        "PATH": "/x",
        "LOG_LEVEL": "info",
        "LIMIT": "5",
    }
    lines = [f"{name}: '{value}'" if style == "map" else f"- {name}={value}" for name, value in given.items()]
    service = "build: src/api\nenvironment:\n  " + "\n  ".join(lines)
    found = planned(repository, MODULES | PLAIN | api(service))
    assert found.env == {"A": "docker", "LOG_LEVEL": "info", "LIMIT": "5"}


def test_compose_tags_and_anchors(repository: Repository) -> None:
    text = "x-a: &a\n  build: src/api\nservices:\n  api:\n    <<: *a\n    ports: !reset []\n    environment: !override {B: true}\n"
    found = planned(repository, MODULES | PLAIN | {"compose.yaml": text})
    assert (found.source, found.env) == ("compose", {"A": "docker", "B": "true"})


@pytest.mark.parametrize(
    "text", ["services:\n  web:\n    build: .\n", "services: {api: {image: x}}", "", "[]", "services: 1"]
)
def test_compose_without_a_start_of_the_api(repository: Repository, text: str) -> None:
    assert planned(repository, MODULES | {"compose.yml": text}).source == "default"


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({"compose.yml": "services: ["}, "compose.yml is not valid YAML"),
        ({"compose.yml": "[" * 5000}, "compose.yml is not valid YAML"),
        (api("build: nowhere"), "no nowhere/Dockerfile"),
        (api("build: ../.."), "outside of the repository"),
        (api("build: src/api\ncommand: uvicorn 'main:app"), "cannot be split"),
    ],
)
def test_compose_files_that_are_wrong(repository: Repository, files: dict[str, str], says: str) -> None:
    with pytest.raises(SubmissionError, match=says):
        planned(repository, MODULES | files)


# -- what has to be installed


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (
            {"pyproject.toml": "[project]\n", "uv.lock": "", "requirements.txt": ""},
            Requirements(project=Path(), locked=True),
        ),
        ({"pyproject.toml": "[tool.ruff]\n", "requirements.txt": ""}, IN_ROOT),
        ({"pyproject.toml": "[project]\ndependencies = ['x']\n"}, Requirements(project=Path())),
        ({"pyproject.toml": "[project]\ndynamic = ['dependencies']\n"}, Requirements(project=Path())),
        ({"pyproject.toml": "[tool.poetry]\n[build-system]\nrequires = []\n"}, Requirements(project=Path())),
        ({"pyproject.toml": "[tool.ruff]\n", "src/api/requirements.txt": ""}, IN_API),
        ({"uv.lock": "", "requirements.txt": ""}, IN_ROOT),
        (
            {"requirements.txt": "", ".python-version": "3.12.4\n"},
            Requirements(files=(Path("requirements.txt"),), python="3.12"),
        ),
        ({"requirements.txt": "", ".python-version": "my-env\n"}, IN_ROOT),
    ],
)
def test_dependency_files(repository: Repository, files: dict[str, str], expected: Requirements) -> None:
    assert planned(repository, PACKAGE | files).requirements == expected


@pytest.mark.parametrize(
    "text",
    [
        None,
        "[tool.ruff]\n",
        "[project]\nname = 'x'\n",
        "[project]\ndependencies = []\n",
        "[project]\ndynamic = 1\n",
    ],
)
def test_no_dependency_files(repository: Repository, text: str | None) -> None:
    with pytest.raises(SubmissionError, match=r"uv\.lock.*requirements\.txt.*\[tool\.grading\] requirements"):
        planned(repository, PACKAGE | ({"pyproject.toml": text} if text is not None else {}))


def test_a_project_is_installed_only_where_it_has_to_be(repository: Repository) -> None:
    project = "[build-system]\nrequires = []\n[project]\ndependencies = ['uvicorn']\n[project.scripts]\nserve = 'api:main'\n"
    files = PACKAGE | {"pyproject.toml": project}
    assert not planned(repository, files).requirements.install_project
    for command in ("serve --port {port}", "uvicorn api.main:app"):
        files |= {"pyproject.toml": f"{project}[tool.grading]\ncommand = '{command}'\n"}
        assert planned(repository, files).requirements == Requirements(project=Path(), install_project=True)


# -- the real command


@pytest.fixture
def env_bin(tmp_path: Path) -> Path:
    folder = tmp_path / "an env's" / "bin"
    folder.mkdir(parents=True)
    for name in ("python", "uvicorn", "prepare"):
        (folder / name).write_text(f'#!/bin/sh\necho {name} "$@"\n')
        (folder / name).chmod(0o755)
    return folder


def table(repository: Repository, command: str) -> StartPlan:
    return planned(repository, ROOT_FILE | grading(f"command = '''{command}'''"))


def test_argv_has_the_environments_program_and_the_address(repository: Repository, env_bin: Path) -> None:
    argv = planned(repository, PACKAGE | ROOT_FILE).argv("127.0.0.2", 4321, env_bin)
    expected = ["api.main:app", "--app-dir", "src", "--host", "127.0.0.2", "--port", "4321"]
    assert argv == [str(env_bin / "uvicorn"), *expected]


@pytest.mark.parametrize(
    ("command", "printed"),
    [
        ("uvicorn a:b", "uvicorn a:b --host 127.0.0.1 --port 80\n"),
        ("python3 -m uvicorn a:b", "python -m uvicorn a:b --host 127.0.0.1 --port 80\n"),
        ("prepare x && uvicorn a:b", "prepare x\nuvicorn a:b --host 127.0.0.1 --port 80\n"),
        (
            'N="b c"; uvicorn a:b --x "$N $PORT" \'$\'',
            "uvicorn a:b --x b c 80 $ --host 127.0.0.1 --port 80\n",
        ),
        ("prepare && prepare 'a  b' {port}", "prepare\nprepare a  b 80\n"),
        ("X=$(echo 1) prepare $X", "prepare 1\n"),
    ],
)
def test_the_command_runs(repository: Repository, env_bin: Path, command: str, printed: str) -> None:
    found = table(repository, command)
    done = subprocess.run(
        found.argv("127.0.0.1", 80, env_bin),
        cwd=repository.root,
        env={"PATH": "/usr/bin:/bin", **found.environment(repository.root, "127.0.0.1", 80)},
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout == printed


def test_the_shell_gives_way_to_the_server(repository: Repository, env_bin: Path) -> None:
    """Signals have to reach the server, and not a shell around it."""
    (env_bin / "uvicorn").write_text("#!/bin/sh\necho $$\n")
    argv = table(repository, "prepare > /dev/null && uvicorn a:b").argv("127.0.0.1", 80, env_bin)
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert int(process.stdout.read()) == process.pid


def test_paths_in_variables_are_those_of_the_copy(repository: Repository) -> None:
    found = StartPlan(("x",), Path(), IN_ROOT, "default", {"PYTHONPATH": "{root}/src:{root}/lib"})
    assert found.environment(Path("/copy"), "127.0.0.2", 80) == {
        "PYTHONPATH": "/copy/src:/copy/lib",
        "HOST": "127.0.0.2",
        "PORT": "80",
    }


@pytest.mark.parametrize("command", ["gunicorn a:b", "serve", "/opt/x/serve", "prepare && serve", "../serve"])
def test_a_program_that_is_not_installed(repository: Repository, env_bin: Path, command: str) -> None:
    found = table(repository, command)
    with pytest.raises(
        SubmissionError, match=r"not among what requirements\.txt installs.*\[tool\.grading\]"
    ):
        found.argv("127.0.0.1", 80, env_bin)


# -- this repository itself


def test_the_reference_solution_is_started_as_its_compose_file_says() -> None:
    root = Path(__file__).parents[2]
    found = plan(Submission(".", "main", root), EXAM, RESERVED)
    assert (found.source, found.command) == ("compose", DEFAULT)
    assert found.requirements == Requirements(project=Path(), locked=True, python="3.11")
