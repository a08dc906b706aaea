import pytest

from chaos.history import File, History
from exercises.assignment1.part1_setup import checks, sources
from exercises.assignment1.part1_setup.packages import Declared, PyprojectError, is_declared

PYPROJECT = """
[project]
name = "x"
dependencies = ["FastAPI[standard]>=0.1", "pydantic_settings", "PyYAML ; python_version > '3'"]
[project.optional-dependencies]
extra = ["httpx"]
[dependency-groups]
dev = ["pytest", {include-group = "lint"}]
"""


def test_packages_are_declared_for_the_service_or_for_development() -> None:
    declared = Declared.read(PYPROJECT)

    assert declared.service == {"fastapi", "pydantic-settings", "pyyaml"}
    assert declared.everything == declared.service | {"httpx", "pytest"}


@pytest.mark.parametrize("text", ["[project", "a = " + "[" * 5000])
def test_what_is_no_toml_declares_nothing(text: str) -> None:
    with pytest.raises(PyprojectError):
        Declared.read(text)


@pytest.mark.parametrize("text", ["", "project = 1", "tool = []", '[project]\ndependencies = "x"'])
def test_odd_tables_declare_nothing(text: str) -> None:
    assert Declared.read(text).everything == set()


@pytest.mark.parametrize(
    ("module", "package", "declared"),
    [
        ("yaml", "pyyaml", True),
        ("pydantic_settings", "pydantic-settings", True),
        ("opentelemetry", "opentelemetry-sdk", True),
        ("dotenv", "python-dotenv", True),
        ("jwt", "PyJWT", True),
        ("decouple", "python-decouple", True),
        ("pythonjsonlogger", "python-json-logger", True),
        ("throttled", "throttled-py", True),
        ("pydantic_ai", "pydantic-ai-slim", True),
        ("pydantic", "pydantic-settings", False),
        ("starlette", "fastapi", False),
        ("http", "httpx", False),
    ],
)
def test_a_module_is_declared_by_its_package_alone(module: str, package: str, *, declared: bool) -> None:
    assert is_declared(module, {package}) is declared


def test_a_package_of_the_development_group_is_not_there_for_the_service() -> None:
    told = History(
        [
            File(path="pyproject.toml", text=PYPROJECT),
            File(path="src/main.py", text="import fastapi, httpx, json\nfrom src.config import settings\n"),
        ]
    )

    verdict = checks.declares_its_dependencies(told)

    assert verdict.status == "failed"
    assert "httpx (imported in src/main.py)" in verdict.actual


def test_tests_may_use_what_the_development_group_has() -> None:
    told = History(
        [
            File(path="pyproject.toml", text=PYPROJECT),
            File(path="src/main.py", text="import fastapi\n"),
            File(path="tests/test_a.py", text="import httpx, pytest\nfrom tests.fakes import Fake\n"),
        ]
    )

    assert checks.declares_its_dependencies(told).passed


SETTINGS = """
import os
from pydantic import Field
from pydantic_settings import BaseSettings

class Base(BaseSettings):
    model_config = {}
    openai_api_key: str
    window: float = Field(60, alias="RATE_LIMIT_WINDOW")

class Settings(Base):
    limit: int = Field(default=1, validation_alias="RATE_LIMIT_REQUESTS")

DEBUG = os.environ.get("DEBUG", "0")
KEY = os.environ["OTHER_KEY"]
MODEL = os.getenv("DEFAULT_MODEL")
PATH = os.environ["PATH"]
"""


def test_variables_are_found_in_settings_classes_and_where_the_environment_is_read() -> None:
    read = sources.variables_read([File(path="src/config/settings.py", text=SETTINGS)])

    assert set(read) == {
        *("OPENAI_API_KEY", "RATE_LIMIT_WINDOW", "RATE_LIMIT_REQUESTS"),
        *("DEBUG", "OTHER_KEY", "DEFAULT_MODEL"),
    }


def test_what_the_code_can_do_without_need_not_be_declared() -> None:
    text = """
from typing import TYPE_CHECKING

import fastapi

if TYPE_CHECKING:
    from _typeshed import SupportsRead

try:
    import uvloop
except ImportError:
    uvloop = None

try:
    import orjson
except ValueError:
    pass
"""

    assert set(sources.imports([File(path="src/main.py", text=text)])) == {"fastapi", "orjson"}


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ('from environs import Env\nenv = Env()\nkey = env.str("LOG_LEVEL", "INFO")\n', {"LOG_LEVEL"}),
        ('from environs import env\nkey = env("LOG_LEVEL")\n', {"LOG_LEVEL"}),
        ('from decouple import config\nkey = config("LOG_LEVEL", default="INFO")\n', {"LOG_LEVEL"}),
        ('import decouple\nkey = decouple.config("LOG_LEVEL")\n', {"LOG_LEVEL"}),
        ('from environs import Env\nwith env.prefixed("APP_"):\n    key = env.str("NAME")\n', set()),
        ('key = config("LOG_LEVEL")\n', set()),
        (
            'import os\nkey = os.environ.get("LOG_LEVEL") or os.getenv("LOG_FILE")\n',
            {"LOG_LEVEL", "LOG_FILE"},
        ),
        ('from os import environ\nkey = environ["LOG_LEVEL"]\n', {"LOG_LEVEL"}),
        ('def app(environ, start):\n    key = environ.get("HTTP_X_REQUEST_ID")\n', set()),
        ('from flask import request\nkey = request.environ.get("REMOTE_ADDR")\n', set()),
        ('from environs import Env\nraise ApiError("NOT_FOUND")\n', set()),
    ],
)
def test_variables_are_found_where_the_environment_is_read(text: str, names: set[str]) -> None:
    assert set(sources.variables_read([File(path="src/config/settings.py", text=text)])) == names


def test_a_group_of_settings_has_no_variable_of_its_own() -> None:
    text = """
class OpenAISettings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="OPENAI_")
    api_key: SecretStr

class Mode(StrEnum):
    FAST = "fast"

class Settings(BaseSettings):
    openai: OpenAISettings = Field(default_factory=OpenAISettings)
    backup: OpenAISettings | None = None
    mode: Mode = Mode.FAST
"""
    read = sources.variables_read([File(path="src/config/settings.py", text=text)])

    assert set(read) == {"OPENAI_API_KEY", "MODE"}


NAMED = "".join(f"{name}=\n" for name in checks.CONTRACT_VARIABLES)


@pytest.mark.parametrize(
    ("example", "passes"),
    [
        (NAMED, True),
        (NAMED.replace("OPENAI_API_KEY=", "OPENAI_API_KEY=your-key-here"), True),
        (NAMED.replace("OPENAI_API_KEY=", "OPENAI_API_KEY=sk-xxxxxxxxxxxxxxxxxxxxxxxx"), True),
        (NAMED.replace("DEFAULT_MODEL=", "# DEFAULT_MODEL=gpt-4o"), True),
        (NAMED.replace("OPENAI_API_KEY=", "OPENAI_API_KEY=sk-proj-9fK2mQ8vTz4LwXb7Rn3cYd6H"), False),
        (NAMED.replace("DAILY_COST_LIMIT=", ""), False),
    ],
)
def test_an_example_names_everything_and_holds_no_secret(example: str, *, passes: bool) -> None:
    assert checks.env_example_is_complete(History([File(path=".env.example", text=example)])).passed is passes


README = "```sh\nuv sync\ncp .env.example .env\n```\nThen\n```bash\nuv run uvicorn src.main:app\n```\n"


@pytest.mark.parametrize(
    ("readme", "missing"),
    [
        (README, None),
        (README.replace("uv sync", "pip install -e ."), None),
        ("1.  Set up:\n\n    " + README.replace("\n", "\n    "), None),
        (README.replace("uv sync\n", ""), "install"),
        (README.replace("cp .env.example .env\n", ""), "configure"),
        (README.replace("uvicorn src.main:app", "true"), "start"),
        ("uv sync, then .env, then uvicorn src.main:app", "install"),
    ],
)
def test_a_readme_has_blocks_for_each_step(readme: str, missing: str | None) -> None:
    verdict = checks.readme_sets_up(History([File(path="README.md", text=readme)]))

    assert verdict.passed is (missing is None)
    assert missing is None or missing in verdict.actual
