"""Which of a submission's files leave uv nothing to do but to fetch."""

from pathlib import Path

import pytest

from grading.errors import SubmissionError
from grading.fetching import only_fetches
from grading.recipe import Recipe
from grading.start import Requirements

from .conftest import Repository

PROJECT = '[project]\nname = "x"\nversion = "1"\ndependencies = ["other"]\n'
INDEX = '[[tool.uv.index]]\nname = "own"\nurl = "https://index.example.org/simple"\n'
LOCK = 'version = 1\n[[package]]\nname = "x"\nsource = { editable = "." }\n'


def fetches(repository: Repository, files: dict[str, str]) -> bool:
    repository.write(files)
    recipe = Recipe(Requirements(), tuple(map(Path, files)), "")
    return only_fetches(recipe, repository.root)


@pytest.mark.parametrize(
    "settings",
    [
        "",
        '[tool.other]\nvariable = "${HOME}"\neditable = true\n',
        INDEX + '[tool.uv.sources]\nother = { index = "own" }\n',
        '[tool.uv.sources]\nother = [{ url = "https://example.org/other-1.0-py3-none-any.whl", marker = "x" }]\n',
        '[tool.uv]\npackage = true\ndev-dependencies = ["pytest"]\noverride-dependencies = ["other==1.0"]\n',
        '[tool.uv]\nenvironments = ["sys_platform == \'linux\'"]\ndefault-groups = "all"\nexclude-newer = "2026-01-01T00:00:00Z"\n',
        '[tool.uv.build-backend]\nmodule-root = ""\n',
    ],
)
def test_a_project_that_chooses_its_packages(repository: Repository, settings: str) -> None:
    assert fetches(repository, {"pyproject.toml": PROJECT + settings, "uv.lock": LOCK})


@pytest.mark.parametrize(
    "settings",
    [
        '[tool.uv.pip]\ntarget = "../elsewhere"\n',
        '[tool.uv.pip]\nprefix = "../elsewhere"\n',
        "[tool.uv]\ncompile-bytecode = true\n",
        '[tool.uv]\ncache-dir = "elsewhere"\n',
        '[tool.uv]\nkeyring-provider = "subprocess"\n',
        '[tool.uv]\nfind-links = ["../../../uv"]\n',
        '[tool.uv]\nindex-url = "https://${SECRET}@example.org/simple"\n',
        '[tool.uv]\nno-build-isolation-package = ["other"]\n',
        '[tool.uv.workspace]\nmembers = ["../*"]\n',
        '[tool.uv.sources]\nother = { path = "other", editable = true }\n',
        '[tool.uv.sources]\nother = [{ git = "https://example.org/other" }]\n',
        INDEX + 'cache-control = { api = "max-age=31536000" }\n',
        "[tool.uv]\nindex = 5\n",
        "[tool.uv]\nsources = 5\n",
        "[tool]\nuv = 5\n",
        "[tool.uv]\nwhat-a-later-uv-knows = true\n",
    ],
)
def test_a_project_with_other_settings(repository: Repository, settings: str) -> None:
    assert not fetches(repository, {"pyproject.toml": PROJECT + settings})


@pytest.mark.parametrize(
    "files",
    [
        {"uv.toml": "[pip]\ntarget = '../elsewhere'\n"},
        {"sub/uv.toml": ""},
        {"pylock.toml": "lock-version = '1.0'\n"},
        {"requirements.txt": "other @ https://example.org/${SECRET}\n"},
        {"requirements.txt": "other\n-r https://example.org/requirements.txt\n"},
        {"constraints.txt": "--constraint=http://example.org/constraints.txt\n"},
        {"serve.py": '# /// script\n# dependencies = ["other"]\n# ///\n'},
        {"uv.lock": LOCK + '[[package]]\nname = "y"\nsource = { editable = "y" }\n'},
    ],
)
def test_other_files_that_uv_reads(repository: Repository, files: dict[str, str]) -> None:
    assert not fetches(repository, files)


def test_requirements_with_options_for_indexes(repository: Repository) -> None:
    text = "--extra-index-url https://index.example.org/simple\n-r more.txt\nother==1.0\n"
    assert fetches(repository, {"requirements.txt": text, "requirements.lock": "other==1.0\n"})


def test_the_code_of_the_repository(repository: Repository) -> None:
    assert not only_fetches(Recipe(Requirements(install_project=True), None, ""), repository.root)


def test_a_variable_in_a_command(repository: Repository) -> None:
    wanted = Requirements(packages=("other @ https://example.org/${SECRET}",))
    assert not only_fetches(Recipe(wanted, (), ""), repository.root)


def test_what_is_no_toml_is_the_submissions_failure(repository: Repository) -> None:
    with pytest.raises(SubmissionError, match="not valid TOML"):
        fetches(repository, {"pyproject.toml": "= ["})
